"""The tools of a release for a checkout on this machine, and the settings out of its `switchover.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.container_engine import ContainerEngine, OpenClient, open_client_from
from switchover.adapters.cosign_signer import CosignSigner
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.git_history import GitHistory
from switchover.adapters.image_builder import BuilderByKind, ImageBuilder
from switchover.adapters.npm_packer import NpmPacker
from switchover.adapters.service_builder import ServiceBuilder
from switchover.adapters.trivy_scanner import TrivyScanner, find_trivy
from switchover.adapters.workspace import FolderWorkspace
from switchover.config import FILE_NAME, load_config
from switchover.config_sections import ServiceConfig
from switchover.decide.components import Service
from switchover.errors import InputError
from switchover.operations.planning import ReleaseSettings
from switchover.operations.release_ports import ReleaseTools


@dataclass(frozen=True, slots=True)
class ReleaseScope:
    """What is released: the workspace in `root`, into the store in `artifacts`."""

    project: str
    root: Path
    artifacts: Path
    settings: ReleaseSettings


def read_release_scope(path: Path) -> ReleaseScope:
    """The scope that a switchover.toml (the file, or its folder) states. Raises `InputError` for what is wrong."""
    config = load_config(path)
    services = tuple(_service(name, service) for name, service in sorted(config.services.items()))
    settings = ReleaseSettings(services, config.release.private_packages, config.release.tag_format)
    return ReleaseScope(config.project.name, config.root, config.artifacts_folder(), settings)


def read_plan_settings(repository: Path) -> ReleaseSettings:
    """The settings of `switchover.toml` where there is one, else those of changesets 3."""
    return (
        read_release_scope(repository / FILE_NAME).settings if (repository / FILE_NAME).is_file() else ReleaseSettings()
    )


def open_release_tools(root: Path, artifacts: Path, open_client: OpenClient | None = None) -> ReleaseTools:
    """Everything that the stages work with, out of what this machine has.

    `open_client` opens the container engine that builds images; None: the one that `DOCKER_HOST` names.
    """
    store = FolderArtifacts(artifacts)
    images = ImageBuilder(root, store, ContainerEngine(open_client or open_client_from()))
    return ReleaseTools(
        workspace=FolderWorkspace(root),
        history=GitHistory(root),
        store=store,
        builder=BuilderByKind(ServiceBuilder(root), images),
        packer=NpmPacker(root),
        scanner=TrivyScanner(find_trivy()),
        signer=CosignSigner.from_machine(),
    )


def _service(name: str, config: ServiceConfig) -> Service:
    folder = _relative(name, config.path)
    container = config.container
    return Service(
        name=name,
        folder=folder,
        package=config.package or name,
        build=tuple(config.build or ()),
        dockerfile=container.dockerfile if container else "",
        elsewhere=config.command is None and container is None,
        context=folder if container is None or container.context is None else _relative(name, container.context),
    )


def _relative(name: str, path: str) -> str:
    folder = Path(path).as_posix()
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise InputError(
            f"the service {name} lies outside the repository",
            expected=f"a folder below the one of {FILE_NAME}",
            found=path,
            next_step=f"correct services.{name}.path, or its container.context",
        )
    return "" if folder == "." else folder
