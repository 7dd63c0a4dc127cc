"""The file that an image is released as, written: the same images give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.adapters.oci_layout import (
    DOCKER_MANIFEST,
    INDEX_FILE,
    INDEX_TYPE,
    LAYER_TYPE,
    LAYOUT_FILE,
    MANIFEST_TYPE,
    Document,
    ImageLayout,
    open_member,
    read_platform,
    refusing,
    write_place,
)

# Who reads the name of the image: podman and skopeo, and containerd.
_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A layer, compressed with gzip, in a file. `diff_id` is the digest of its tar."""

    path: Path
    digest: str
    diff_id: str

    @property
    def size_bytes(self) -> int:
        """How large the compressed layer is."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """The image of one platform."""

    platform: str
    config: Document
    layers: tuple[LayerFile, ...]


def write_document(media_type: str, value: Mapping[str, Any]) -> Document:
    """A document whose bytes depend on its value only."""
    content = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return Document(f"sha256:{hashlib.sha256(content).hexdigest()}", media_type, content)


def write_layout(
    archive: Path, images: Sequence[PlatformImage], *, name: str, annotations: Mapping[str, str], time: int
) -> None:
    """Write the archive of these images, of which the first is the one for `docker load`.

    `name` is what an engine calls the image once it has it; `time` (seconds of the epoch) is that of all members.
    """
    manifests = [_write_manifest(image, annotations) for image in images]
    described = [
        _describe(manifest) | {"platform": read_platform(image.platform)}
        for manifest, image in zip(manifests, images, strict=True)
    ]
    index = write_document(INDEX_TYPE, _annotated({**_typed(INDEX_TYPE), "manifests": described}, annotations))
    root = {"schemaVersion": 2, "manifests": [_describe(index) | {"annotations": dict.fromkeys(_NAMES, name)}]}
    first = _docker_manifest(images[0].config.digest, [one.digest for one in images[0].layers], name)
    with _writing(archive) as out:
        _add(out, DOCKER_MANIFEST, first, time)
        _add(out, LAYOUT_FILE, json.dumps({"imageLayoutVersion": "1.0.0"}).encode(), time)
        _add(out, INDEX_FILE, json.dumps(root, sort_keys=True).encode(), time)
        documents = (index, *manifests, *(image.config for image in images))
        for digest, content in {one.digest: one.content for one in documents}.items():
            _add(out, write_place(digest), content, time)
        for digest, path in {one.digest: one.path for image in images for one in image.layers}.items():
            with path.open("rb") as stream:
                out.addfile(_member(write_place(digest), path.stat().st_size, time), stream)


def write_docker_archive(archive: Path, layout: ImageLayout, number: int, name: str, target: Path) -> None:
    """Write the image of one platform of a layout, by its number there, as `docker save` does; it is called `name`."""
    manifest = json.loads(layout.manifests[number].content)
    config, layers = manifest["config"]["digest"], [one["digest"] for one in manifest["layers"]]
    with refusing(archive), tarfile.open(archive, "r:") as tar, _writing(target) as out:
        _add(out, DOCKER_MANIFEST, _docker_manifest(config, layers, name), 0)
        for place in dict.fromkeys(map(write_place, (config, *layers))):
            out.addfile(_member(place, tar.getmember(place).size, 0), open_member(tar, place))


def _write_manifest(image: PlatformImage, annotations: Mapping[str, str]) -> Document:
    layers = [{"mediaType": LAYER_TYPE, "digest": one.digest, "size": one.size_bytes} for one in image.layers]
    described = {**_typed(MANIFEST_TYPE), "config": _describe(image.config), "layers": layers}
    return write_document(MANIFEST_TYPE, _annotated(described, annotations))


def _typed(media_type: str) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media_type}


def _annotated(document: dict[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    return document | ({"annotations": dict(annotations)} if annotations else {})


def _describe(document: Document) -> dict[str, Any]:
    return {"mediaType": document.media_type, "digest": document.digest, "size": len(document.content)}


def _docker_manifest(config: str, layers: Sequence[str], name: str) -> bytes:
    entry = {"Config": write_place(config), "Layers": [write_place(one) for one in layers], "RepoTags": [name]}
    return json.dumps([entry], sort_keys=True).encode()


def _writing(archive: Path) -> tarfile.TarFile:
    archive.parent.mkdir(parents=True, exist_ok=True)
    return tarfile.open(archive, "w", format=tarfile.PAX_FORMAT)


def _add(tar: tarfile.TarFile, name: str, content: bytes, time: int) -> None:
    tar.addfile(_member(name, len(content), time), io.BytesIO(content))


def _member(name: str, size_bytes: int, time: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size_bytes, time, 0o644
    return member
