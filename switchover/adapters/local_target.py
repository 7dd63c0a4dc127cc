"""The target `local`: one environment on this machine, from a state folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from switchover.adapters.container_engine import ContainerEngine, OpenClient, open_client_from
from switchover.adapters.container_replicas import ContainerReplicas
from switchover.adapters.environment_folder import open_environment_folder
from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_config import WORKERS, RoutedService, public_listener_name
from switchover.adapters.envoy_files import EnvoyFiles
from switchover.adapters.envoy_program import find_envoy
from switchover.adapters.envoy_router import EnvoyRouter
from switchover.adapters.envoy_signals import EnvoySignals
from switchover.adapters.http_prober import HttpProber
from switchover.adapters.local_migrator import LocalMigrator
from switchover.adapters.local_preflight import LocalPreflight
from switchover.adapters.local_slots import LocalSlots
from switchover.adapters.processes import choose_free_port, find_marked, require_free_port
from switchover.adapters.slot_file import Kind
from switchover.adapters.supervised_replicas import SupervisedReplicas
from switchover.adapters.supervisor_config import Program
from switchover.adapters.supervisor_daemon import SupervisorDaemon
from switchover.adapters.waiting import wait_until
from switchover.errors import InputError, TargetError
from switchover.ports import ArtifactStore, Fence

_READY_SECONDS = 15.0
_ENVOY_STOP_SECONDS = 5.0
_ENVOY = "envoy"
_WATCHDOG = "watchdog"
_WATCHDOG_STOP_SECONDS = 5.0
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class PublicListener:
    """Where users reach a service. Port 0: a free one, chosen once and kept."""

    service: str
    host: str = "127.0.0.1"
    port: int = 0


class LocalTarget:
    """Everything of one environment that the operations need: `slots`, `router`, `signals` and so on.

    Building it starts nothing; `ensure_running` does. `watchdog` is the command of the program that the
    supervisor runs beside the router (docs/decisions/0005), `passed_on` the variables of `environ` that only it
    needs; empty: none. `open_client` opens the container engine, which is asked only where a service runs as
    containers; None: the one that `DOCKER_HOST` names.
    """

    def __init__(
        self,
        state: Path,
        store: ArtifactStore,
        fence: Fence,
        environ: Mapping[str, str] = os.environ,
        watchdog: tuple[str, ...] = (),
        open_client: OpenClient | None = None,
        passed_on: tuple[str, ...] = (),
    ) -> None:
        self._folder = open_environment_folder(state, environ)
        self._watchdog = watchdog
        self._files = EnvoyFiles(self._folder)
        self._admin = EnvoyAdmin(self._folder.admin_socket)
        self._daemon = SupervisorDaemon(self._folder, environ, passed_on)
        self.router = EnvoyRouter(self._folder, self._files, self._admin, fence)
        self.signals = EnvoySignals(self._admin)
        self.prober = HttpProber()
        self.preflight = LocalPreflight(environ)
        artifacts = self._folder.state / "artifacts"
        self.migrator = LocalMigrator(self._folder.state / "migrations", artifacts, store, fence, environ)
        engine = ContainerEngine(open_client or open_client_from(environ))
        self._containers = ContainerReplicas(engine, store, artifacts, self._folder.key, environ)
        self.slots = LocalSlots(
            folder=self._folder,
            replicas={
                Kind.PROCESSES: SupervisedReplicas(self._daemon, store, artifacts, environ),
                Kind.CONTAINERS: self._containers,
            },
            files=self._files,
            admin=self._admin,
            fence=fence,
            environ=environ,
        )

    def ensure_running(self, listeners: tuple[PublicListener, ...] = ()) -> None:
        """Let the supervisor, Envoy and these listeners run, beside those that the environment has already.

        What should run in the slots is started again if the supervisor was gone (after a reboot, say); leftovers
        of a supervisor that was killed are ended first. Raises `InputError` for a taken port (the environment
        stays as it was), `MissingProgramError` without Envoy or supervisord, `TargetError` when something does not
        start, or when the supervisor runs and does not answer: it and what it runs are left alone.
        """
        with self._folder.lock_start():
            program = find_envoy()
            self._daemon.require_installed()
            before = self._files.read_services()
            running = self._daemon.is_running()
            if not running:
                self._daemon.shut_down()
            services = {one.service: _place(one, before.get(one.service)) for one in listeners}
            for service in (before | services).values():
                self._require_port(service, held=running and _same_place(service, before.get(service.name)))
            with self._folder.lock():
                current = self._files.read_services()
                placed = {
                    name: replace(current.get(name, one), host=one.host, port=one.port)
                    for name, one in services.items()
                }
                self._files.write_services(current | placed)
                if not running:
                    self._daemon.write_group(_ENVOY, (self._envoy(program),), first=True)
                    if self._watchdog:
                        self._daemon.write_group(_WATCHDOG, (self._watching(),), first=True)
            if not running:
                self._daemon.start()
            self._wait_for_listeners()
            if not running:
                with self._folder.lock():
                    self.slots.restore()

    def ensure_routing(self) -> None:
        """Let weights be changeable, with the least that can fail: while Envoy answers nothing else is asked.

        A supervisor that hangs or is gone, or a listener that cannot be placed, must not keep traffic from being
        taken back. Only without Envoy the environment is brought up, with the services that it has already.
        """
        if not self._admin.is_ready():
            self.ensure_running()

    def is_running(self) -> bool:
        """Whether the environment's supervisor and Envoy answer; a supervisor that hangs does not."""
        try:
            return self._admin.is_ready() and self._daemon.is_running()
        except TargetError:
            return False

    def read_address(self, service: str) -> str:
        """Where users reach a service, as `host:port`. Raises `InputError` for an unknown one."""
        found = self._files.read_service(service)
        return f"{found.host}:{found.port}"

    def stop_environment(self) -> None:
        """End the supervisor, Envoy and every replica, containers too; nothing of them is left. Repeating is a no-op.

        What should run stays written down: `ensure_running` brings it back.
        """
        with self._folder.lock_start():
            self._daemon.shut_down()
            if Kind.CONTAINERS in self.slots.find_kinds():
                self._containers.remove_all()

    def environment_processes(self) -> tuple[int, ...]:
        """The ids of all living processes of this environment, found by the mark that each of them carries."""
        return find_marked(self._folder.key)

    def _envoy(self, program: Path) -> Program:
        command = (str(program), "-c", str(self._files.bootstrap), "--concurrency", str(WORKERS))
        quiet = ("--disable-hot-restart", "--log-level", "warning")
        return Program(_ENVOY, command + quiet, self._folder.envoy_log, _ENVOY_STOP_SECONDS)

    def _watching(self) -> Program:
        return Program(_WATCHDOG, self._watchdog, self._folder.state / "watchdog.log", _WATCHDOG_STOP_SECONDS)

    def _require_port(self, service: RoutedService, *, held: bool) -> None:
        if not held:
            require_free_port(service.host, service.port, f"service {service.name}")

    def _wait_for_listeners(self) -> None:
        trouble: dict[str, str | None] = {}

        def settled() -> bool:
            if not self._admin.is_ready():
                trouble["Envoy"] = "does not answer"
                return False
            trouble.clear()
            for name in self._files.read_services():
                trouble[name] = self._admin.read_listener_trouble(public_listener_name(name))
            return not any(trouble.values())

        if not wait_until(settled, _READY_SECONDS, 0.05):
            raise TargetError(
                "the environment's router is not ready",
                expected=f"Envoy with all its listeners within {_READY_SECONDS:.0f} s",
                found="; ".join(f"{name}: {what}" for name, what in trouble.items() if what),
                next_step=f"look at {self._folder.envoy_log}, then repeat",
            )


def _place(listener: PublicListener, before: RoutedService | None) -> RoutedService:
    if not _NAME.fullmatch(listener.service):
        raise InputError(
            f"{listener.service!r} cannot be the name of a service",
            expected="lower-case letters, digits and single hyphens between them",
            found=repr(listener.service),
            next_step="rename it in switchover.toml",
        )
    keeps = before is not None and before.host == listener.host
    port = listener.port or (before.port if before is not None and keeps else choose_free_port(listener.host))
    if before is None:
        return RoutedService(listener.service, listener.host, port)
    return replace(before, host=listener.host, port=port)


def _same_place(service: RoutedService, before: RoutedService | None) -> bool:
    return before is not None and (service.host, service.port) == (before.host, before.port)
