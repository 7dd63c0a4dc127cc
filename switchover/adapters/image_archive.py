"""Images as files: written so that the same content gives the same bytes, and brought into an engine.

An engine writes the time of the build into an image and into the folders that it makes, so no two builds are
alike. Here every time later than the commit becomes the commit's, and the archive is written in one fixed order,
with the manifest first. The archive names its image by the digest of its configuration:
`localhost/switchover/<service>:<64 hexadecimal digits>`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from switchover.errors import TargetError

IMAGE_ENDING = ".image.tar"
"""How the names of these archives end."""

_MANIFEST = "manifest.json"
_CHUNK_BYTES = 1 << 20
# Times of the file beside its modification; nothing that runs reads them.
_OTHER_TIMES = ("atime", "ctime", "mtime")
# Which container and which program built the image.
_TRACES = ("container", "container_config", "docker_version", "id", "parent", "throwaway")


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """What an archive says of its image: its name, and the digests of its unpacked layers."""

    tag: str
    layers: tuple[str, ...]


def rewrite_image(saved: Path, archive: Path, service: str, time: int) -> None:
    """Turn what an engine saved into an archive that depends on the image's content and `time` only."""
    with tempfile.TemporaryDirectory(prefix="switchover-image-") as made, tarfile.open(saved) as tar:
        manifest = json.load(_open(tar, _MANIFEST))[0]
        config: dict[str, Any] = json.load(_open(tar, manifest["Config"]))
        layers = [_write_layer(_open(tar, name), Path(made), time) for name in manifest["Layers"]]
        stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        config = {name: value for name, value in config.items() if name not in _TRACES}
        config |= {"created": stamp, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one.name}" for one in layers]}}
        config["history"] = [_write_step(one, stamp) for one in config.get("history") or []]
        for variable in ("Image", "Hostname"):
            config.get("config", {}).pop(variable, None)
        text = json.dumps(config, sort_keys=True).encode()
        digest = hashlib.sha256(text).hexdigest()
        entry = {
            "Config": f"{digest}.json",
            "Layers": [f"{one.name}.tar" for one in layers],
            "RepoTags": [f"localhost/switchover/{service}:{digest}"],
        }
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as out:
            _add(out, _MANIFEST, json.dumps([entry], sort_keys=True).encode(), time)
            _add(out, f"{digest}.json", text, time)
            for layer in dict.fromkeys(layers):
                member = _plain(f"{layer.name}.tar", layer.stat().st_size, time)
                with layer.open("rb") as content:
                    out.addfile(member, content)


def read_image(archive: Path) -> ArchivedImage:
    """The image in an archive that `rewrite_image` wrote. Raises `TargetError` for another file."""
    try:
        with tarfile.open(archive) as tar:
            manifest = json.load(_open(tar, _MANIFEST))[0]
            config = json.load(_open(tar, manifest["Config"]))
            return ArchivedImage(manifest["RepoTags"][0], tuple(config["rootfs"]["diff_ids"]))
    except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise TargetError(
            "the artifact is no image",
            expected="an archive as `switchover release` makes it for a service with a container",
            found=f"{archive.name}: {error}",
            next_step="release the service again, with its section `container` in switchover.toml",
        ) from error


def _write_step(step: dict[str, Any], stamp: str) -> dict[str, Any]:
    # podman's comment names the image before this step, which has the time of the build in it.
    kept = {name: value for name, value in step.items() if name != "comment"}
    return kept | {"created": min(step.get("created", stamp), stamp)}


def _write_layer(layer: IO[bytes], folder: Path, time: int) -> Path:
    """Copy a layer into `folder`, named by its digest. One without later times is copied as it is."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as plain:
        while chunk := layer.read(_CHUNK_BYTES):
            plain.write(chunk)
    source = Path(plain.name)
    with tarfile.open(source) as tar:
        late = any(member.mtime > time for member in tar)
    if late:
        source = _clamp(source, time)
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return source.rename(folder / digest)


def _clamp(layer: Path, time: int) -> Path:
    clamped = layer.with_suffix(".clamped")
    with tarfile.open(layer) as tar, tarfile.open(clamped, "w", format=tarfile.PAX_FORMAT) as out:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            member.mtime = min(int(member.mtime), time)
            member.pax_headers = {name: value for name, value in member.pax_headers.items() if name not in _OTHER_TIMES}
            out.addfile(member, content)
    layer.unlink()
    return clamped


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    # extractfile follows the links that docker save makes of layers that an image has twice.
    found = tar.extractfile(name)
    if found is None:
        msg = f"no file {name}"
        raise KeyError(msg)
    return found


def _add(tar: tarfile.TarFile, name: str, content: bytes, time: int) -> None:
    tar.addfile(_plain(name, len(content), time), io.BytesIO(content))


def _plain(name: str, size_bytes: int, time: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size_bytes, time, 0o644
    return member
