"""The tools of a release for a checkout on this machine, and the settings out of its `switchover.toml`."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from switchover.adapters.buildx_builder import choose_buildx
from switchover.adapters.commit_tester import CommitTester
from switchover.adapters.container_engine import ContainerEngine, open_client_from
from switchover.adapters.cosign_signer import CosignSigner
from switchover.adapters.docker_credentials import PASSWORD, USER
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.git_history import GitHistory
from switchover.adapters.git_remote import GitRemote
from switchover.adapters.image_builder import BuilderByKind, ImageBuilder
from switchover.adapters.image_registry import ImageRegistry
from switchover.adapters.npm_packer import NpmPacker
from switchover.adapters.npm_registry import NpmRegistry
from switchover.adapters.service_builder import ServiceBuilder
from switchover.adapters.source_scanner import TrivySourceScanner
from switchover.adapters.system_clock import SystemClock
from switchover.adapters.trivy_scanner import TrivyScanner, find_trivy
from switchover.adapters.workspace import FolderWorkspace
from switchover.config import FILE_NAME, Config, load_config
from switchover.config_release import NpmConfig, ReleaseConfig
from switchover.config_sections import ServiceConfig
from switchover.decide.components import Component, ComponentKind, Service
from switchover.decide.pointers import choose_npm_tag
from switchover.errors import InputError, MissingProgramError
from switchover.operations.planning import ReleaseSettings
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.shared_places import Destination, Forge

if TYPE_CHECKING:
    from docker import DockerClient

# What others keep their secrets in, and what a build could sign or publish with in our name.
_SECRETS = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "COSIGN_PASSWORD",
    "COSIGN_PRIVATE_KEY",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "NODE_AUTH_TOKEN",
    "NPM_TOKEN",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_KEY",
    "SIGSTORE_ID_TOKEN",
)
OpenHost = Callable[[str], "DockerClient"]


@dataclass(frozen=True, slots=True)
class ReleaseScope:
    """What is released: the workspace in `root`, into the store in `artifacts` and where `config` says.

    `images` maps services to the repositories of their images, `hosts` platforms to the blocks of their engines.
    """

    project: str
    root: Path
    artifacts: Path
    settings: ReleaseSettings
    config: ReleaseConfig = field(default_factory=ReleaseConfig)
    images: Mapping[str, str] = field(default_factory=dict)

    @property
    def hosts(self) -> Mapping[str, str]:
        """The names of the container hosts of platforms that have one of their own."""
        return self.config.images.hosts if self.config.images else {}


def read_release_scope(path: Path) -> ReleaseScope:
    """The scope that a switchover.toml (the file, or its folder) states. Raises `InputError` for what is wrong."""
    config = load_config(path)
    services = tuple(_service(name, service) for name, service in sorted(config.services.items()))
    release = config.release
    settings = ReleaseSettings(
        services=services,
        private_packages=release.private_packages,
        tag_format=release.tag_format or "",
        compat=release.compat,
        single_version=release.single_version,
        channel=_read_channel(config),
        commits=release.commits.enabled,
        squashed=release.commits.squashed,
        reverts=release.commits.reverts,
        proposed=release.versions == "pull-request",
        branches=(*release.branches, *release.channels) if release.branches else (),
    )
    return ReleaseScope(
        config.project.name, config.root, config.artifacts_folder(), settings, release, _choose_repositories(config)
    )


def read_scope_again(before: ReleaseScope, path: Path) -> ReleaseScope:
    """The scope when the checkout has caught up. Raises `InputError` where what was locked is no longer meant."""
    scope = read_release_scope(path)
    if (scope.config.remote, scope.artifacts) != (before.config.remote, before.artifacts):
        raise InputError(
            "the newest commits change where releases go",
            expected=f"release.remote {before.config.remote or 'none'} and the store in {before.artifacts}, as before",
            found=f"{scope.config.remote or 'none'} and {scope.artifacts}",
            next_step="run again: the release then begins with the new configuration",
        )
    return scope


def read_plan_settings(repository: Path) -> ReleaseSettings:
    """The settings of `switchover.toml` where there is one, else those that the repository itself shows."""
    return (
        read_release_scope(repository / FILE_NAME).settings if (repository / FILE_NAME).is_file() else ReleaseSettings()
    )


def open_release_tools(
    scope: ReleaseScope,
    environ: Mapping[str, str],
    open_host: OpenHost | None = None,
    hidden: frozenset[str] = frozenset(),
) -> ReleaseTools:
    """Everything that the stages work with, out of what this machine and `environ` have.

    `open_host` opens the container engine that builds for a platform; None: the one that `DOCKER_HOST` names.
    Builds and tests of the repository see no secret that is known by its name, and nothing in `hidden`.
    """
    store = FolderArtifacts(scope.artifacts)
    open_client = open_client_from(environ)
    config = scope.config
    images = ImageBuilder(
        scope.root,
        engines=lambda platform: ContainerEngine(lambda: open_host(platform) if open_host else open_client()),
        platforms=tuple(config.images.platforms) if config.images else (),
        source=f"https://github.com/{config.github.repository}" if config.github else "",
        choose_buildx=lambda: choose_buildx(_choose_builder(config), environ),
    )
    secrets = _name_secrets(config) | hidden
    return ReleaseTools(
        workspace=FolderWorkspace(scope.root),
        history=GitHistory(scope.root),
        store=store,
        builder=BuilderByKind(ServiceBuilder(scope.root, environ, hidden=secrets), images),
        packer=NpmPacker(scope.root, environ, hidden=secrets),
        scanner=TrivyScanner(find_trivy(), config.scan, scope.root, today=_today),
        source_scanner=TrivySourceScanner(find_trivy(), config.scan, scope.root, today=_today)
        if config.scan.enabled and config.scan.sources
        else None,
        signer=CosignSigner.from_machine(config.sign, environ),
        destination_of=_choose_destinations(scope, environ),
        builder_name=f"switchover {version('switchover')} on {platform.system().lower()}/{platform.machine()}",
        clock=SystemClock(),
        forge=_open_forge(config, environ),
        remote=_open_remote(scope.root, config.remote) if config.remote else None,
        tester=CommitTester(scope.root, config.test, environ, hidden=secrets) if config.test else None,
        shows_findings=config.github is not None and config.github.code_scanning,
        makes_pages=config.github is not None and config.github.releases,
    )


def _today() -> date:
    return datetime.now(UTC).date()


@lru_cache(maxsize=8)
def _open_remote(root: Path, name: str) -> GitRemote:
    """One for all stages of a process: it knows of the lock that is held, and writes nothing once that is lost."""
    return GitRemote(root, name)


def _choose_destinations(scope: ReleaseScope, environ: Mapping[str, str]) -> Callable[[Component], Destination | None]:
    packages = _open_npm(scope, scope.config.npm, environ) if scope.config.npm else None
    images = ImageRegistry(scope.images, environ) if scope.images else None

    def choose(component: Component) -> Destination | None:
        if component.kind is ComponentKind.NPM:
            return packages
        return images if component.kind is ComponentKind.IMAGE and component.name in scope.images else None

    return choose


def _open_npm(scope: ReleaseScope, npm: NpmConfig, environ: Mapping[str, str]) -> NpmRegistry:
    token = environ.get(npm.token_variable or "", "")

    def choose_tag(component: Component) -> str:
        return choose_npm_tag(component.version, registry.list_versions(component))

    registry = NpmRegistry(
        npm.registry,
        access=npm.access,
        provenance=npm.provenance,
        token=token,
        root=scope.root,
        environ=environ,
        final_tag=None if token else choose_tag,
    )
    return registry


def _choose_builder(config: ReleaseConfig) -> Literal["auto", "engine", "buildx"]:
    if config.images is None:
        return "auto"
    # Buildx knows nothing of the hosts that platforms have.
    return "engine" if config.images.hosts and config.images.builder == "auto" else config.images.builder


def _name_secrets(config: ReleaseConfig) -> frozenset[str]:
    """The variables that no build script and no test of the repository may see."""
    named = {config.sign.key_variable, USER, PASSWORD, *_SECRETS}
    named |= {config.npm.token_variable or ""} if config.npm else set()
    named |= {config.github.token_variable} if config.github else set()
    return frozenset(named - {""})


def _open_forge(config: ReleaseConfig, environ: Mapping[str, str]) -> Forge | None:
    if config.github is None:
        return None
    token = environ.get(config.github.token_variable, "")
    if not token:
        raise InputError(
            f"there is no token for {config.github.repository} on GitHub",
            expected=f"one in the variable {config.github.token_variable}",
            found="no such variable, or an empty one",
            next_step="set it, in the block switchover-release-secrets for flows, or take release.github out",
        )
    try:
        # githubkit is large, and few commands of few projects need it.
        from switchover.adapters.github_forge import GithubForge  # noqa: PLC0415
    except ImportError as error:
        raise MissingProgramError(
            "GitHub cannot be reached from here",
            expected="the package githubkit",
            found=str(error),
            next_step="install it: pip install 'switchover[github]'",
        ) from error
    return GithubForge(config.github.repository, api=config.github.api, token=token)


def _read_channel(config: Config) -> str:
    if not config.release.channels:
        return ""
    return config.release.channels.get(GitHistory(config.root).branch(), "")


def _choose_repositories(config: Config) -> dict[str, str]:
    """Where the images of services that are built here go: their own repository on Kubernetes, else the common one."""
    chosen: dict[str, str] = {}
    for name, service in config.services.items():
        if service.container is None:
            continue
        if service.kubernetes is not None:
            chosen[name] = service.kubernetes.image
        elif config.release.images is not None:
            chosen[name] = config.release.images.repository.replace("{service}", name)
    return chosen


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
