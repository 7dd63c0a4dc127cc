"""The file that an image is released as, read: a tar with an OCI image layout, and with docker's manifest beside it.

`index.json` names one image index, with a manifest for each platform and annotations that say what it was made
from. `manifest.json` names the image of the first platform, so that `docker load` and `podman load` take the same
file.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from switchover.errors import TargetError

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "manifest.json"
"""What `docker save` writes and `docker load` reads."""
LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"

_BLOBS = "blobs/sha256/"
# Registries take no larger manifest than 4 MiB; a configuration grows with the steps of its recipe.
_DOCUMENT_BYTES = 8 << 20
_MANY = 64
_HEX_DIGITS = 64
# The variant that is meant where none is said, and the one that nobody says.
_USUAL = {"arm": "v7"}
_UNSAID = {"arm64": "v8", "amd64": "v1"}


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest, an index or a configuration, whole. `digest` is `sha256:…`."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of an image that `open_blob` opens."""

    digest: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """What an archive holds. `blobs` are the configurations and layers of all manifests, each once."""

    index: Document
    manifests: tuple[Document, ...]
    blobs: tuple[Blob, ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        """`linux/amd64`, …: the platform of each manifest."""
        return tuple(write_platform(one["platform"]) for one in json.loads(self.index.content)["manifests"])


def read_platform(platform: str) -> dict[str, str]:
    """What a descriptor states of `linux/arm/v7`."""
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def write_platform(stated: Mapping[str, Any]) -> str:
    """`linux/arm/v7`: the platform that a descriptor or a configuration states, the same one always in one way."""
    variant = stated.get("variant") or _USUAL.get(stated["architecture"], "")
    said = variant and _UNSAID.get(stated["architecture"]) != variant
    return "/".join((stated["os"], stated["architecture"], *([variant] if said else [])))


def write_place(digest: str) -> str:
    """Where the archive has the bytes of a digest. Raises `ValueError` for what is none."""
    kind, _, plain = digest.partition(":")
    if kind != "sha256" or len(plain) != _HEX_DIGITS or set(plain) - set("0123456789abcdef"):
        msg = f"{digest!r} is no digest"
        raise ValueError(msg)
    return _BLOBS + plain


def is_layout(archive: Path) -> bool:
    """Whether the file is such an archive; False for an image as an engine saves it."""
    with refusing(archive), tarfile.open(archive, "r:") as tar:
        return LAYOUT_FILE in tar.getnames()


def read_layout(archive: Path) -> ImageLayout:
    """What the archive holds; the digests of all documents are checked. Raises `TargetError` for another file."""
    with refusing(archive), tarfile.open(archive, "r:") as tar:
        (root,) = json.loads(read_member(tar, INDEX_FILE))["manifests"]
        index = _read_document(tar, root, INDEX_TYPE)
        described = json.loads(index.content)["manifests"]
        if not 0 < len(described) <= _MANY or not all(write_platform(one["platform"]) for one in described):
            msg = f"{len(described)} platforms"
            raise ValueError(msg)
        manifests = tuple(_read_document(tar, one, MANIFEST_TYPE) for one in described)
        blobs: dict[str, Blob] = {}
        for manifest in manifests:
            stated = json.loads(manifest.content)
            _read_document(tar, stated["config"], CONFIG_TYPE)
            for part in (stated["config"], *stated["layers"]):
                blobs[part["digest"]] = _find_blob(tar, part)
        return ImageLayout(index, manifests, tuple(blobs.values()))


@contextmanager
def open_blob(archive: Path, digest: str) -> Iterator[IO[bytes]]:
    """The bytes of a configuration or a layer, from the start; the stream can be read again by seeking.

    Raises `TargetError` when the archive has none of that digest.
    """
    with archive.open("rb") as file:
        with refusing(archive):
            stream = open_member(tarfile.open(fileobj=file, mode="r:"), write_place(digest))  # noqa: SIM115 closed with its file
        yield stream


def read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """A document, whole. Raises `ValueError` for one that is too large, `KeyError` for none."""
    size_bytes = tar.getmember(name).size
    if size_bytes > _DOCUMENT_BYTES:
        msg = f"{name} has {size_bytes} bytes, more than {_DOCUMENT_BYTES}"
        raise ValueError(msg)
    with open_member(tar, name) as stream:
        return stream.read()


def open_member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of an archive. Raises `KeyError` when there is none."""
    # extractfile follows the links that docker save makes of layers that an image has twice.
    found = tar.extractfile(name)
    if found is None:
        msg = f"no file {name}"
        raise KeyError(msg)
    return found


@contextmanager
def refusing(archive: Path) -> Iterator[None]:
    """Say of whatever reading the archive raises that it is no image."""
    try:
        yield
    except (tarfile.TarError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise TargetError(
            "the artifact is no image",
            expected="an archive as `switchover release` makes it for a service with a container",
            found=f"{archive.name}: {error}",
            next_step="release a new version of the service, with its section `container` in switchover.toml",
        ) from error


def _read_document(tar: tarfile.TarFile, described: Mapping[str, Any], media_type: str) -> Document:
    content = read_member(tar, write_place(described["digest"]))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if (digest, len(content), media_type) != (described["digest"], described["size"], described["mediaType"]):
        msg = f"{described['digest']} is not what is stored under it"
        raise ValueError(msg)
    return Document(digest, media_type, content)


def _find_blob(tar: tarfile.TarFile, described: Mapping[str, Any]) -> Blob:
    blob = Blob(described["digest"], described["size"], described["mediaType"])
    if tar.getmember(write_place(blob.digest)).size != blob.size_bytes:
        msg = f"{blob.digest} is not of {blob.size_bytes} bytes"
        raise ValueError(msg)
    return blob
