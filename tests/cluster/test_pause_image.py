import hashlib
import json
import tarfile
from pathlib import Path

from switchover.adapters.safe_tar import extract_inside
from tests.cluster.pause_image import NAME, write_archive


def test_the_archive_names_an_image_whose_only_layer_is_the_program(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"static")
    write_archive(tmp_path / "program", tmp_path / "pause.tar")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        extract_inside(archive, tmp_path)
    [manifest] = json.loads((tmp_path / "manifest.json").read_text())
    config = json.loads((tmp_path / manifest["Config"]).read_text())
    layer = tmp_path / manifest["Layers"][0]
    assert manifest["RepoTags"] == [NAME]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer.read_bytes()).hexdigest()}"]
    with tarfile.open(layer) as files:
        assert [(entry.name, entry.mode, entry.size) for entry in files] == [("pause", 0o755, 6)]
