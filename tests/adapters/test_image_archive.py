from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.image_archive import open_platform, read_image, rewrite_image, write_platform_archives
from switchover.adapters.oci_layout import open_blob, read_layout
from switchover.errors import TargetError

COMMITTED = 1_700_000_000
STAMP = "2023-11-14T22:13:20Z"
OLD = {"bin/sh": (b"shell", 1)}


def tar_of(members: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, (content, time) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), time
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(
    folder: Path, *, built_at: int = COMMITTED, container: str = "c", old: bytes = b"", architecture: str = "amd64"
) -> Path:
    """What an engine saves: one layer from long ago, one of the build."""
    fresh = tar_of({"app/main": (b"program", COMMITTED), "app/made": (architecture.encode(), built_at)})
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": f"2026-01-01T00:00:{built_at % 60:02}.5Z",
        "container": container,
        "config": {"Cmd": ["/app/main"], "Image": container},
        "history": [{"created": "2020-01-01T00:00:00Z"}, {"created": "2026-01-01T00:00:00Z", "comment": container}],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:old", f"sha256:{container}"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": [f"x:{container}"], "Layers": ["old.tar", "fresh.tar"]}]
    contents = {"c.json": json.dumps(config).encode(), "old.tar": old or tar_of(OLD), "fresh.tar": fresh}
    path = folder / f"{container}-{architecture}.tar"
    document = {name: (content, built_at) for name, content in contents.items()}
    path.write_bytes(tar_of(document | {"manifest.json": (json.dumps(manifest).encode(), built_at)}))
    return path


def test_two_builds_of_one_commit_give_the_same_bytes(tmp_path: Path) -> None:
    archives = []
    for number, built_at in enumerate((COMMITTED + 1000, COMMITTED + 2017)):
        archives.append(tmp_path / f"{number}.image.tar")
        source = saved(tmp_path, built_at=built_at, container=f"c{number}")
        rewrite_image(source, archives[-1], "shop", COMMITTED)
    first, second = (path.read_bytes() for path in archives)
    assert first == second
    image = read_image(archives[0])
    assert image.tag.startswith("localhost/switchover/shop:")
    assert image.layers[0] == f"sha256:{hashlib.sha256(tar_of(OLD)).hexdigest()}", "an old layer stays as it is"
    with tarfile.open(archives[0]) as tar:
        assert {member.mtime for member in tar} == {COMMITTED}
    with open_blob(archives[0], f"sha256:{image.tag.rpartition(':')[2]}") as stream:
        config = json.load(stream)
    assert (config["created"], config["history"][1]["created"], config["config"]) == (
        STAMP,
        STAMP,
        {"Cmd": ["/app/main"]},
    )


def test_a_layer_of_the_build_is_sorted_and_has_no_time_after_the_commit(tmp_path: Path) -> None:
    rewrite_image(saved(tmp_path, built_at=COMMITTED + 5), tmp_path / "x.image.tar", "shop", COMMITTED)
    layer = read_layout(tmp_path / "x.image.tar").blobs[2]
    with open_blob(tmp_path / "x.image.tar", layer.digest) as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
        assert [(member.name, member.mtime) for member in tar] == [("app/made", COMMITTED), ("app/main", COMMITTED)]


def test_a_hard_link_stays_after_its_file(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, target in (("z", ""), ("a", "z")):
            member = tarfile.TarInfo(name)
            member.mtime, member.linkname = COMMITTED + 9, target
            member.type = tarfile.LNKTYPE if target else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO())
    rewrite_image(saved(tmp_path, old=out.getvalue()), tmp_path / "x.image.tar", "shop", COMMITTED)
    layer = read_layout(tmp_path / "x.image.tar").blobs[1]
    with open_blob(tmp_path / "x.image.tar", layer.digest) as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
        assert [(member.name, member.linkname) for member in tar] == [("z", ""), ("a", "z")]


def test_a_layer_that_an_engine_saves_compressed_is_the_same_one(tmp_path: Path) -> None:
    digests = set()
    for old in (tar_of(OLD), gzip.compress(tar_of(OLD), 1, mtime=77)):
        rewrite_image(saved(tmp_path, old=old), tmp_path / "x.image.tar", "shop", COMMITTED)
        digests.add(read_layout(tmp_path / "x.image.tar").index.digest)
    assert len(digests) == 1


def test_another_content_gives_another_name(tmp_path: Path) -> None:
    tags = set()
    for number in range(2):
        source = saved(tmp_path, old=tar_of({"x": (str(number).encode(), 1)}))
        rewrite_image(source, tmp_path / "out.tar", "shop", COMMITTED)
        tags.add(read_image(tmp_path / "out.tar").tag)
    assert len(tags) == 2


def both(folder: Path) -> Path:
    archive = folder / "shop-1.0.0.image.tar"
    stated = {"org.opencontainers.image.version": "1.0.0"}
    rewrite_image(saved(folder), archive, "shop", COMMITTED, stated, (saved(folder, architecture="arm64"),))
    return archive


def test_an_archive_for_two_platforms_has_one_index_that_says_what_it_is(tmp_path: Path) -> None:
    layout = read_layout(both(tmp_path))
    assert layout.platforms == ("linux/amd64", "linux/arm64")
    assert len(layout.blobs) == 5, "two configurations, a common layer, and one of each"
    said = {"org.opencontainers.image.version": "1.0.0", "org.opencontainers.image.created": STAMP}
    assert all(json.loads(one.content)["annotations"] == said for one in (layout.index, *layout.manifests))


def test_each_platform_can_be_had_alone_under_a_name_of_its_own(tmp_path: Path) -> None:
    archive = both(tmp_path)
    ours, theirs = (read_image(path) for path in write_platform_archives(archive, tmp_path / "each"))
    assert ours == read_image(archive)
    assert (ours.layers[0], ours.tag.rpartition(":")[0]) == (theirs.layers[0], theirs.tag.rpartition(":")[0])
    assert ours.layers[1] != theirs.layers[1]
    assert ours.tag != theirs.tag
    with open_platform(archive, lambda: "linux/arm64") as path:
        assert read_image(path) == theirs


def test_a_platform_that_an_archive_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"for linux/riscv64(.|\n)*linux/amd64, linux/arm64"):
        open_platform(both(tmp_path), lambda: "linux/riscv64").__enter__()


def test_two_images_of_one_platform_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="not of different platforms"):
        rewrite_image(saved(tmp_path), tmp_path / "x.tar", "shop", COMMITTED, others=(saved(tmp_path),))


def test_an_archive_of_an_older_version_is_still_an_image(tmp_path: Path) -> None:
    layer = f"sha256:{hashlib.sha256(tar_of(OLD)).hexdigest()}"
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [layer]}}).encode()
    name = f"localhost/switchover/shop:{hashlib.sha256(config).hexdigest()}"
    manifest = json.dumps([{"Config": "c.json", "Layers": ["l.tar"], "RepoTags": [name]}]).encode()
    archive = tmp_path / "old.image.tar"
    archive.write_bytes(tar_of({"manifest.json": (manifest, 1), "c.json": (config, 1), "l.tar": (tar_of(OLD), 1)}))
    assert (read_image(archive).tag, read_image(archive).layers) == (name, (layer,))
    with open_platform(archive, lambda: "linux/arm64") as path:
        assert path == archive
    assert write_platform_archives(archive, tmp_path) == (archive,)
    with pytest.raises(TargetError, match="release a new version"):
        read_layout(archive)


def test_another_archive_is_no_image(tmp_path: Path) -> None:
    for content in (tar_of({"server.py": (b"x", 1)}), b"no archive"):
        (tmp_path / "x.tar").write_bytes(content)
        with pytest.raises(TargetError, match="no image"):
            read_image(tmp_path / "x.tar")
        with pytest.raises(TargetError, match="no image"):
            rewrite_image(tmp_path / "x.tar", tmp_path / "y.tar", "shop", COMMITTED)
