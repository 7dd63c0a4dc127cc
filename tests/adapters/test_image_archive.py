from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.image_archive import read_image, rewrite_image
from switchover.errors import TargetError

COMMITTED = 1_700_000_000
STAMP = "2023-11-14T22:13:20Z"


def tar_of(members: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, (content, time) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), time
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(folder: Path, *, built_at: int, container: str, old: bytes) -> Path:
    """What an engine saves: one layer from long ago, one of the build."""
    fresh = tar_of({"app/main": (b"program", COMMITTED), "app/made": (b"x", built_at)})
    config = {
        "created": f"2026-01-01T00:00:{built_at % 60:02}.5Z",
        "container": container,
        "config": {"Cmd": ["/app/main"], "Image": container},
        "history": [{"created": "2020-01-01T00:00:00Z"}, {"created": "2026-01-01T00:00:00Z", "comment": container}],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:old", f"sha256:{container}"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": [f"x:{container}"], "Layers": ["old.tar", "fresh.tar"]}]
    contents = {"c.json": json.dumps(config).encode(), "old.tar": old, "fresh.tar": fresh}
    path = folder / f"{container}.tar"
    document = {name: (content, built_at) for name, content in contents.items()}
    path.write_bytes(tar_of(document | {"manifest.json": (json.dumps(manifest).encode(), built_at)}))
    return path


def test_two_builds_of_one_commit_give_the_same_bytes(tmp_path: Path) -> None:
    old = tar_of({"bin/sh": (b"shell", 1)})
    archives = []
    for number, built_at in enumerate((COMMITTED + 1000, COMMITTED + 2017)):
        archives.append(tmp_path / f"{number}.image.tar")
        source = saved(tmp_path, built_at=built_at, container=f"c{number}", old=old)
        rewrite_image(source, archives[-1], "shop", COMMITTED)
    first, second = (path.read_bytes() for path in archives)
    assert first == second
    image = read_image(archives[0])
    assert image.tag.startswith("localhost/switchover/shop:")
    assert image.layers[0] == f"sha256:{hashlib.sha256(old).hexdigest()}", "an old layer stays as it is"
    with tarfile.open(archives[0]) as tar:
        config = json.load(tar.extractfile(tar.getnames()[1]))  # type: ignore[arg-type]
        assert {member.mtime for member in tar} == {COMMITTED}
    assert (config["created"], config["history"][1]["created"], config["config"]) == (
        STAMP,
        STAMP,
        {"Cmd": ["/app/main"]},
    )


def test_another_content_gives_another_name(tmp_path: Path) -> None:
    tags = set()
    for number in range(2):
        source = saved(tmp_path, built_at=COMMITTED, container="c", old=tar_of({"x": (str(number).encode(), 1)}))
        rewrite_image(source, tmp_path / "out.tar", "shop", COMMITTED)
        tags.add(read_image(tmp_path / "out.tar").tag)
    assert len(tags) == 2


def test_another_archive_is_no_image(tmp_path: Path) -> None:
    for content in (tar_of({"server.py": (b"x", 1)}), b"no archive"):
        (tmp_path / "x.tar").write_bytes(content)
        with pytest.raises(TargetError, match="no image"):
            read_image(tmp_path / "x.tar")
