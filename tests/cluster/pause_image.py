"""The image of a pod's sandbox: one static program, in an archive that containerd imports."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

NAME = "switchover.test/pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's architecture by Go's and the image specification's name."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def write_archive(program: Path, archive: Path) -> None:
    """Write an image with this program as `/pause`, as `docker save` would."""
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    config = {
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    members = {
        "layer.tar": layer,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    archive.write_bytes(_tar(members, mode=0o644))


def _tar(members: dict[str, bytes], *, mode: int) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = mode
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()
