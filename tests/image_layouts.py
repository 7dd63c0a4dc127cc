"""Small images as the files that a release makes of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from switchover.adapters.image_registry import ImageRegistry
from switchover.adapters.oci_layout import CONFIG_TYPE
from switchover.adapters.oci_layout_writer import LayerFile, PlatformImage, write_document, write_layout
from switchover.decide.components import Component, ComponentKind

COMMIT = "0123abc"
_NAME = "org.opencontainers.image."
_NUMBERS = count()


def image_component(version: str = "1.4.2", name: str = "shop") -> Component:
    return Component(name, name, version, ComponentKind.IMAGE, name, f"{name}@{version}")


@dataclass(frozen=True, slots=True)
class ImageCase:
    """An image of its own in the registry at "host:port". `removes_tags`: the registry lets tags be deleted."""

    address: str
    folder: Path
    removes_tags: bool
    name: str = field(default_factory=lambda: f"shop-{next(_NUMBERS)}")

    def open(self) -> ImageRegistry:
        """The destination."""
        return ImageRegistry({self.name: f"{self.address}/acme/{self.name}"}, {"HOME": str(self.folder)})

    def component(self, version: str) -> Component:
        """The component at that version."""
        return image_component(version, self.name)

    def archive(self, component: Component, content: str) -> Path:
        """An image with a program of that content."""
        archive = self.folder / f"{component.version}-{content}.image.tar"
        return write_image(archive, version=component.version, content=content.encode())


def write_image(
    archive: Path,
    *,
    version: str = "1.4.2",
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
    content: bytes = b"program",
    labels: Mapping[str, str] | None = None,
    annotated: bool = True,
) -> Path:
    """An image of a layer that all platforms share and one of each platform's own."""
    shared = _layer(archive, "shared", b"shared")
    images = []
    for platform in platforms:
        layers = (shared, _layer(archive, platform.replace("/", "-"), content + platform.encode()))
        system, architecture = platform.split("/")
        config = {
            "os": system,
            "architecture": architecture,
            "config": {"Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        }
        images.append(PlatformImage(platform, write_document(CONFIG_TYPE, config), layers))
    annotations = {f"{_NAME}version": version, f"{_NAME}revision": COMMIT} if annotated else {}
    write_layout(archive, images, name=f"shop:{version}", annotations=annotations, time=1_700_000_000)
    return archive


def _layer(archive: Path, name: str, content: bytes) -> LayerFile:
    """A tar with one file."""
    member = tarfile.TarInfo("app")
    member.size = len(content)
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(member, io.BytesIO(content))
    content = held.getvalue()
    packed = gzip.compress(content, 1, mtime=0)
    path = archive.with_suffix(f".{name}")
    path.write_bytes(packed)
    return LayerFile(path, _digest(packed), _digest(content))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
