"""What a schema cannot see in a switchover.toml: the repository and the machine that it talks about."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.environment_folder import open_environment_folder
from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_files import EnvoyFiles
from switchover.adapters.processes import require_free_port
from switchover.adapters.workspace import FolderWorkspace
from switchover.config import Config
from switchover.config_sections import ContainerConfig
from switchover.decide.components import Service, find_service_package
from switchover.errors import InputError

_EVERYWHERE = frozenset({"0.0.0.0", "[::]", "::", "*"})  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at `key`; a notice (`is_problem` False) is only worth knowing."""

    key: str
    message: str
    is_problem: bool = True


def find_problems(config: Config) -> tuple[Finding, ...]:
    """Everything that would go wrong later, in the order of the file. Starts and changes nothing."""
    found = [finding for name in config.services for finding in _judge_service(config, name)]
    found += _judge_ports(config)
    found += _judge_gates(config)
    if config.notifications and not os.environ.get(config.notifications.webhook_variable):
        variable = config.notifications.webhook_variable
        found.append(Finding("notifications.webhook_variable", f"{variable} is not set here: nobody is told", False))  # noqa: FBT003
    return tuple(found)


def _judge_service(config: Config, name: str) -> Iterator[Finding]:
    service, key = config.services[name], f"services.{name}"
    folder = config.root / service.path
    if Path(service.path).is_absolute() or ".." in Path(service.path).parts:
        yield Finding(f"{key}.path", f"{service.path} lies outside the repository")
        return
    if not folder.is_dir():
        yield Finding(f"{key}.path", f"there is no folder {service.path}")
        return
    yield from _judge_package(config, name)
    if service.command:
        # With a build, what the command finds beside it is only there after the build.
        yield from _judge_command(f"{key}.command", service.command[0], None if service.build else folder)
    if service.container:
        yield from _judge_container(f"{key}.container", config.root, service.path, service.container)
    yield from _judge_manifests(config, name)
    if service.build:
        yield from _judge_command(f"{key}.build", service.build[0], config.root)
    for variable in service.secret_variables:
        if variable not in os.environ:
            yield Finding(f"{key}.secret_variables", f"{variable} is not set here", False)  # noqa: FBT003


def _judge_package(config: Config, name: str) -> Iterator[Finding]:
    service = config.services[name]
    folder = "" if service.path == "." else Path(service.path).as_posix()
    try:
        packages = FolderWorkspace(config.root).read((folder,)).packages
        by_folder = {package.folder: package for package in packages}
        find_service_package(by_folder, Service(name, folder, service.package or name, tuple(service.build or ())))
    except InputError as error:
        # What is built elsewhere needs a version here only to be released from here.
        needed = service.command is not None or service.container is not None
        yield Finding(f"services.{name}.package", f"{error.problem.failed}: {error.problem.found}", needed)


def _judge_manifests(config: Config, name: str) -> Iterator[Finding]:
    """Those of the service itself, and those that an environment has instead."""
    declared = config.services[name].kubernetes
    if declared is None:
        return
    stated = {f"services.{name}.kubernetes.manifests": declared.manifests} | {
        f"environments.{environment}.services.{name}.manifests": placed.manifests
        for environment in config.environments
        if (placed := config.placement(environment, name)).manifests
    }
    for key, place in stated.items():
        if not (config.root / place).exists():
            yield Finding(key, f"there is no file or folder {place}")


def _judge_container(key: str, root: Path, path: str, container: ContainerConfig) -> Iterator[Finding]:
    context = Path(container.context or path)
    if context.is_absolute() or ".." in context.parts:
        yield Finding(f"{key}.context", f"{context} lies outside the repository")
    elif not (root / context / container.dockerfile).is_file():
        yield Finding(f"{key}.dockerfile", f"there is no file {context / container.dockerfile}")


def _judge_command(key: str, program: str, folder: Path | None) -> Iterator[Finding]:
    if program == "{python}":
        return
    if "/" in program and not Path(program).is_absolute():
        if folder is not None and not os.access(folder / program, os.X_OK):
            yield Finding(key, f"{program} is not a program in {folder.name}")
    elif shutil.which(program) is None:
        yield Finding(key, f"{program} is not on the PATH")


def _judge_ports(config: Config) -> Iterator[Finding]:
    seen: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for environment, settings in config.environments.items():
        for service, placement in settings.services.items():
            key = f"environments.{environment}.services.{service}.listen"
            host, _, port = placement.listen.rpartition(":")
            if port == "0":
                continue
            rivals = [other for place, other in seen[int(port)] if place == host or {place, host} & _EVERYWHERE]
            if rivals:
                yield Finding(key, f"port {port} is {rivals[0]} already")
            elif not _is_ours(config, environment, service, int(port)):
                yield from _judge_port(key, host, int(port), service)
            seen[int(port)].append((host, key))


def _judge_port(key: str, host: str, port: int, service: str) -> Iterator[Finding]:
    try:
        require_free_port(host, port, f"service {service}")
    except InputError as error:
        yield Finding(key, f"{error.problem.failed}: {error.problem.found}")


def _is_ours(config: Config, environment: str, service: str, port: int) -> bool:
    """Whether the environment's own router listens there. An environment that never ran holds no port."""
    state = config.state_folder(environment)
    if not state.is_dir():
        return False
    folder = open_environment_folder(state)
    known = EnvoyFiles(folder).read_services().get(service)
    return known is not None and known.port == port and EnvoyAdmin(folder.admin_socket).is_ready()


def _judge_gates(config: Config) -> Iterator[Finding]:
    for name in config.environments:
        circle = _find_circle(config, (name,))
        if circle and name == min(circle):
            way = " -> ".join([*circle, name])
            yield Finding(f"environments.{name}.gates.after", f"these wait for each other: {way}")


def _find_circle(config: Config, path: tuple[str, ...]) -> tuple[str, ...]:
    for gate in config.environments[path[-1]].gates.after:
        if gate == path[0]:
            return path
        circle = () if gate in path else _find_circle(config, (*path, gate))
        if circle:
            return circle
    return ()
