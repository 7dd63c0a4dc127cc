from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.oci_layout import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Blob,
    open_blob,
    read_layout,
    read_platform,
    write_platform,
)
from switchover.adapters.oci_layout_writer import LayerFile, PlatformImage, write_document, write_layout
from switchover.errors import TargetError

CONTENT = b"a layer"


def layer_file(folder: Path) -> LayerFile:
    path = folder / "layer"
    path.write_bytes(gzip.compress(CONTENT, mtime=0))
    digests = (f"sha256:{hashlib.sha256(one).hexdigest()}" for one in (path.read_bytes(), CONTENT))
    return LayerFile(path, *digests)


def written(folder: Path, name: str = "x.image.tar", platforms: tuple[str, ...] = ("linux/amd64",)) -> Path:
    layer = layer_file(folder)
    images = [
        PlatformImage(one, write_document(CONFIG_TYPE, read_platform(one) | {"rootfs": {}}), (layer, layer))
        for one in platforms
    ]
    write_layout(folder / name, images, name="localhost/x:1", annotations={"a": "b"}, time=1)
    return folder / name


def test_what_was_written_is_read(tmp_path: Path) -> None:
    archive = written(tmp_path, platforms=("linux/arm/v7", "linux/amd64"))
    layout = read_layout(archive)
    assert layout.platforms == ("linux/arm/v7", "linux/amd64")
    assert (layout.index.media_type, {one.media_type for one in layout.manifests}) == (INDEX_TYPE, {MANIFEST_TYPE})
    assert layout.index.digest == f"sha256:{hashlib.sha256(layout.index.content).hexdigest()}"
    assert json.loads(layout.index.content)["annotations"] == {"a": "b"}
    assert [one.media_type for one in layout.blobs] == [CONFIG_TYPE, LAYER_TYPE, CONFIG_TYPE]
    layer = layer_file(tmp_path)
    assert layout.blobs[1] == Blob(layer.digest, layer.size_bytes, LAYER_TYPE)
    with open_blob(archive, layer.digest) as stream:
        assert (stream.read(), stream.seek(0), stream.read()) == (layer.path.read_bytes(), 0, layer.path.read_bytes())


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path, "one").read_bytes() == written(tmp_path, "two").read_bytes()


def test_what_a_reader_does_with_a_blob_is_not_blamed_on_the_archive(tmp_path: Path) -> None:
    archive = written(tmp_path)
    with pytest.raises(ValueError, match="mine"), open_blob(archive, read_layout(archive).blobs[0].digest):
        raise ValueError("mine")


def test_a_blob_that_is_not_there_is_told(tmp_path: Path) -> None:
    for digest in (f"sha256:{'0' * 64}", "sha256:../../etc/passwd", "md5:0", ""):
        with pytest.raises(TargetError, match="no image"):
            open_blob(written(tmp_path), digest).__enter__()


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("index.json"),
        lambda members: members.update({"index.json": b"{"}),
        lambda members: members.update({"index.json": b'{"manifests": []}'}),
        lambda members: members.update({"index.json": b'{"manifests": [{"digest": "x"}]}'}),
        lambda members: members.update({"index.json": b" " * (9 << 20)}),
        lambda members: members.update({place_of(members, INDEX_TYPE): b'{"manifests": []}'}),
        lambda members: members.pop(place_of(members, MANIFEST_TYPE)),
        lambda members: members.update({place_of(members, CONFIG_TYPE): b"{}"}),
        lambda members: members.update({place_of(members, LAYER_TYPE): b"shorter"}),
    ],
)
def test_an_archive_that_is_not_whole_is_refused(tmp_path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    archive = written(tmp_path)
    with tarfile.open(archive) as tar:
        members = {one.name: read(tar, one) for one in tar}
    change(members)
    with tarfile.open(archive, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(TargetError, match="no image"):
        read_layout(archive)


def read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    assert stream is not None
    return stream.read()


def place_of(members: dict[str, bytes], media_type: str) -> str:
    """Where the archive has the document that is described with this type."""

    def follow(document: dict[str, Any]) -> str:
        for one in (*document.get("manifests", ()), document.get("config"), *document.get("layers", ())):
            if one:
                place = f"blobs/sha256/{one['digest'].partition(':')[2]}"
                found = place if one["mediaType"] == media_type else ""
                deeper = one["mediaType"] in {INDEX_TYPE, MANIFEST_TYPE} and not found
                found = found or (follow(json.loads(members[place])) if deeper else "")
                if found:
                    return found
        return ""

    return follow(json.loads(members["index.json"]))


@pytest.mark.parametrize(
    ("stated", "platform"),
    [
        ({"os": "linux", "architecture": "amd64", "variant": ""}, "linux/amd64"),
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64"),
        ({"os": "linux", "architecture": "arm"}, "linux/arm/v7"),
        ({"os": "linux", "architecture": "arm", "variant": "v6"}, "linux/arm/v6"),
    ],
)
def test_a_platform_is_written_in_one_way(stated: dict[str, Any], platform: str) -> None:
    assert write_platform(stated) == platform
    assert write_platform(read_platform(platform)) == platform
