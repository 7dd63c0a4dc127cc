"""Images of services, built by the container engine from the files of a commit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from switchover.adapters.commit_export import export_commit, read_commit_time
from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.image_archive import IMAGE_ENDING, rewrite_image
from switchover.adapters.service_builder import ServiceBuilder
from switchover.decide.components import Component, ComponentKind, Service
from switchover.decide.packages import Package
from switchover.errors import InputError
from switchover.operations.release_ports import ReleaseStore


class ImageBuilder:
    """Makes the archive of an image, unless the store has that version already.

    What a recipe fetches from elsewhere differs from one day to the next, so a build is not repeated.
    """

    def __init__(self, root: Path, store: ReleaseStore, engine: ContainerEngine) -> None:
        self._root = root
        self._store = store
        self._engine = engine

    def build(self, component: Component, service: Service, commit: str, folder: Path) -> Path:
        """Write one archive into `folder` and return its path."""
        archive = folder / f"{component.name}-{component.version}{IMAGE_ENDING}"
        stored = self._store.find_artifact(component.name, component.version, component.kind)
        if stored is not None:
            folder.mkdir(parents=True, exist_ok=True)
            return Path(shutil.copyfile(self._store.fetch(stored.digest), archive))
        time = read_commit_time(self._root, commit)
        tag = f"localhost/switchover-build/{component.name}:{commit}"
        with tempfile.TemporaryDirectory(prefix="switchover-build-") as made:
            export = Path(made) / "export"
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
            self._engine.build(context, service.dockerfile, tag)
            saved = Path(made) / "saved.tar"
            self._engine.save(tag, saved)
            self._engine.untag(tag)
            rewrite_image(saved, archive, component.name, time)
        return archive


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
