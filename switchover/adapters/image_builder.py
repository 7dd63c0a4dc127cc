"""Images of services, built by container engines from the files of a commit: one build for each platform."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from switchover.adapters.buildx_builder import Buildx
from switchover.adapters.commit_export import export_commit, read_commit_time
from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.image_archive import IMAGE_ENDING, rewrite_image
from switchover.adapters.oci_layout import read_platform, write_platform
from switchover.adapters.service_builder import ServiceBuilder
from switchover.decide.components import Component, ComponentKind, Service
from switchover.decide.packages import Package
from switchover.errors import InputError, TargetError

Engines = Callable[[str], ContainerEngine]
"""The engine that builds for a platform (`linux/arm64`), a new one each time; for an empty text the usual one."""


class ImageBuilder:
    """Makes the archive of an image for `platforms`; without any, for the one that the usual engine runs on.

    `source` is where people find the files that it is made from, empty where nobody does. `choose_buildx` says
    whether Buildx builds instead of the engines; it is asked before each build.
    """

    def __init__(
        self,
        root: Path,
        engines: Engines,
        platforms: tuple[str, ...] = (),
        source: str = "",
        choose_buildx: Callable[[], Buildx | None] = lambda: None,
    ) -> None:
        self._root = root
        self._engines = engines
        self._platforms = platforms
        self._source = source
        self._choose_buildx = choose_buildx

    def build(self, component: Component, service: Service, commit: str, folder: Path) -> Path:
        """Write one archive into `folder` and return its path. All platforms are built at the same time."""
        time = read_commit_time(self._root, commit)
        archive = folder / f"{component.name}-{component.version}{IMAGE_ENDING}"
        with tempfile.TemporaryDirectory(prefix="switchover-build-") as made:
            context = self._export(component, service, commit, Path(made))

            def build(platform: str) -> Path:
                plain = platform.replace("/", "-") or "own"
                saved = Path(made) / f"{plain}.tar"
                # What a recipe that can be repeated takes for the time of the build.
                arguments = {"SOURCE_DATE_EPOCH": str(time)}
                if buildx:
                    buildx.build(context, service.dockerfile, saved, platform=platform, arguments=arguments)
                else:
                    tag = f"localhost/switchover-build/{component.name}:{commit}-{plain}"
                    self._build(context, service.dockerfile, saved, platform=platform, arguments=arguments, tag=tag)
                return saved

            buildx, wanted = self._choose_buildx(), self._platforms or ("",)
            with ThreadPoolExecutor(len(wanted)) as pool:
                first, *others = pool.map(build, wanted)
            rewrite_image(
                first, archive, component.name, time, self._annotate(component.version, commit), tuple(others)
            )
        return archive

    def _export(self, component: Component, service: Service, commit: str, folder: Path) -> Path:
        export = folder / "export"
        export.mkdir()
        export_commit(self._root, commit, (service.context,) if service.context else (), export)
        context = export / service.context
        if not (context / service.dockerfile).is_file():
            raise InputError(
                f"{component} cannot be built",
                expected=f"a file {service.dockerfile} in {service.context or 'the repository'}",
                found=f"none in commit {commit[:12]}",
                next_step="commit it, or correct the section `container` of the service in switchover.toml",
            )
        return context

    def _build(
        self, context: Path, dockerfile: str, saved: Path, *, platform: str, arguments: Mapping[str, str], tag: str
    ) -> None:
        engine = self._engines(platform)
        engine.build(context, dockerfile, tag, platform=platform, arguments=arguments)
        try:
            found = engine.read_image_platform(tag)
            if platform and write_platform(read_platform(platform)) != found:
                raise TargetError(
                    f"the image for {platform} cannot be built",
                    expected=f"that the engine on {engine.read_host()} builds for {platform}",
                    found=f"an image for {found}",
                    next_step="name an engine that does in release.images.hosts",
                )
            engine.save(tag, saved)
        finally:
            engine.untag(tag)

    def _annotate(self, version: str, commit: str) -> dict[str, str]:
        stated = {"version": version, "revision": commit, "source": self._source}
        return {f"org.opencontainers.image.{name}": value for name, value in stated.items() if value}


class BuilderByKind:
    """Port `Builder`: images by the engine, and everything else as an archive of files."""

    def __init__(self, files: ServiceBuilder, images: ImageBuilder) -> None:
        self._files = files
        self._images = images

    def build(
        self, component: Component, service: Service | None, bundled: tuple[Package, ...], commit: str, folder: Path
    ) -> Path:
        """Write one archive into `folder` and return its path."""
        if component.kind is ComponentKind.IMAGE and service is not None:
            return self._images.build(component, service, commit, folder)
        return self._files.build(component, service, bundled, commit, folder)
