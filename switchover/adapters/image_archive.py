"""Images as files: written so that the same content gives the same bytes, and brought into an engine.

An engine writes the time of the build into an image and into the folders that it makes, so no two builds are
alike. Here every time later than the commit becomes the commit's, and everything has one fixed order. An engine
names an archive's image by the digest of its configuration: `localhost/switchover/<service>:<64 hexadecimal digits>`.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchover.adapters.image_layers import rewrite_layer
from switchover.adapters.oci_layout import (
    CONFIG_TYPE,
    DOCKER_MANIFEST,
    ImageLayout,
    is_layout,
    open_member,
    read_layout,
    read_member,
    refusing,
    write_platform,
)
from switchover.adapters.oci_layout_writer import PlatformImage, write_docker_archive, write_document, write_layout
from switchover.errors import TargetError

IMAGE_ENDING = ".image.tar"
"""How the names of these archives end."""

# Which container and which program built the image.
_TRACES = ("container", "container_config", "docker_version", "id", "parent", "throwaway")


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """What an archive says of its image: its name, and the digests of its unpacked layers."""

    tag: str
    layers: tuple[str, ...]


def rewrite_image(
    saved: Path,
    archive: Path,
    service: str,
    time: int,
    annotations: Mapping[str, str] | None = None,
    others: tuple[Path, ...] = (),
) -> None:
    """Turn what an engine saved into an archive that depends on the image's content, `time` and `annotations` only.

    `time` is the commit's, in seconds of the epoch. `others` are the saved images of further platforms.
    Raises `TargetError` when that is no image, or two are of one platform.
    """
    stamp = write_stamp(time)
    with tempfile.TemporaryDirectory(prefix="switchover-image-") as made:
        images = [_rewrite(one, Path(made), time) for one in (saved, *others)]
        if len({one.platform for one in images}) < len(images):
            raise TargetError(
                f"the images of {service} are not of different platforms",
                expected="one for each platform",
                found=", ".join(one.platform for one in images),
                next_step="look at the engines of release.images.hosts: one builds for another platform than asked",
            )
        written = {"org.opencontainers.image.created": stamp, **(annotations or {})}
        name = _write_name(service, images[0].config.digest)
        write_layout(archive, images, name=name, annotations=written, time=time)


def read_image(archive: Path) -> ArchivedImage:
    """The image that an engine has once it has loaded the archive. Raises `TargetError` for another file.

    Of an archive for several platforms it is that of the first: `open_platform` chooses.
    """
    with refusing(archive), tarfile.open(archive, "r:") as tar:
        manifest = json.loads(read_member(tar, DOCKER_MANIFEST))[0]
        config = json.loads(read_member(tar, manifest["Config"]))
        return ArchivedImage(manifest["RepoTags"][0], tuple(config["rootfs"]["diff_ids"]))


@contextmanager
def open_platform(archive: Path, ask_platform: Callable[[], str]) -> Iterator[Path]:
    """A file with nothing but the image of the platform that `ask_platform` answers with, for an engine to load.

    Raises `TargetError` when the archive has none. An archive for one platform is that image, and nobody is asked.
    """
    layout = read_layout(archive) if is_layout(archive) else None
    if layout is None or len(layout.platforms) == 1:
        yield archive
        return
    platform = ask_platform()
    if platform not in layout.platforms:
        raise TargetError(
            "the image cannot be brought into the engine",
            expected=f"one for {platform}, on which the engine runs",
            found=f"{archive.name} has {', '.join(layout.platforms)}",
            next_step="add it to release.images.platforms, and release a new version",
        )
    with tempfile.TemporaryDirectory(prefix="switchover-image-") as made:
        yield _write_one(archive, layout, layout.platforms.index(platform), Path(made))


def write_platform_archives(archive: Path, folder: Path) -> tuple[Path, ...]:
    """The image of each platform as a file of its own in `folder`, as `docker save` writes it, in the index's order.

    For programs that look at one image of an archive only. An archive for one platform is returned as it is.
    """
    layout = read_layout(archive) if is_layout(archive) else None
    if layout is None or len(layout.platforms) == 1:
        return (archive,)
    return tuple(_write_one(archive, layout, number, folder) for number in range(len(layout.platforms)))


def write_stamp(time: int) -> str:
    """A moment (seconds of the epoch) as images state it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_one(archive: Path, layout: ImageLayout, number: int, folder: Path) -> Path:
    service = read_image(archive).tag.rpartition(":")[0].rpartition("/")[2]
    config = json.loads(layout.manifests[number].content)["config"]["digest"]
    plain = layout.platforms[number].replace("/", "-")
    target = folder / f"{archive.name.removesuffix(IMAGE_ENDING)}-{plain}{IMAGE_ENDING}"
    write_docker_archive(archive, layout, number, _write_name(service, config), target)
    return target


def _write_name(service: str, digest: str) -> str:
    return f"localhost/switchover/{service}:{digest.partition(':')[2]}"


def _rewrite(saved: Path, folder: Path, time: int) -> PlatformImage:
    with refusing(saved), tarfile.open(saved, "r:") as tar:
        manifest = json.loads(read_member(tar, DOCKER_MANIFEST))[0]
        config: dict[str, Any] = json.loads(read_member(tar, manifest["Config"]))
        platform = write_platform(config)
        layers = tuple(rewrite_layer(open_member(tar, name), folder, time) for name in manifest["Layers"])
    stamp = write_stamp(time)
    config = {name: value for name, value in config.items() if name not in _TRACES}
    config |= {"created": stamp, "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]}}
    config["history"] = [_write_step(one, stamp) for one in config.get("history") or []]
    for variable in ("Image", "Hostname"):
        config.get("config", {}).pop(variable, None)
    return PlatformImage(platform, write_document(CONFIG_TYPE, config), layers)


def _write_step(step: dict[str, Any], stamp: str) -> dict[str, Any]:
    # podman's comment names the image before this step, which has the time of the build in it.
    kept = {name: value for name, value in step.items() if name != "comment"}
    return kept | {"created": min(step.get("created", stamp), stamp)}
