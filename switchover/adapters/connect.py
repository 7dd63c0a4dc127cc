"""From configuration to the ports of one environment: the one place that knows which adapter stands behind which."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from switchover.adapters.container_engine import OpenClient
from switchover.adapters.file_fence import EnvironmentLock, FileFence
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.local_target import LocalTarget, PublicListener
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.adapters.system_clock import SystemClock
from switchover.adapters.webhook_notifier import SilentNotifier, WebhookNotifier
from switchover.config import Config
from switchover.errors import InputError
from switchover.model import HistoryEntry
from switchover.operations.environment import EnvironmentPorts
from switchover.ports import Notifier

LEDGER_FILE = "ledger.db"
_LOCK_FILE = "environment.lock"


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """One environment of the target `local`, with what only an operator asks of it beside its ports."""

    ports: EnvironmentPorts
    target: LocalTarget
    listeners: tuple[PublicListener, ...]

    def ensure_running(self) -> None:
        """Bring router and supervisor up, with a listener for every service."""
        self.target.ensure_running(self.listeners)


def connect(
    config: Config,
    environment: str,
    *,
    start: bool,
    environ: Mapping[str, str] = os.environ,
    open_client: OpenClient | None = None,
) -> EnvironmentPorts:
    """The ports of an environment. With `start` its router and supervisor are up when this returns."""
    local = open_local(config, environment, environ, open_client)
    if start:
        local.ensure_running()
    return local.ports


def open_local(
    config: Config, environment: str, environ: Mapping[str, str] = os.environ, open_client: OpenClient | None = None
) -> LocalEnvironment:
    """Build everything and start nothing. `open_client`: the container engine, None for that of `DOCKER_HOST`."""
    state = config.state_folder(environment)
    lock = EnvironmentLock(state / _LOCK_FILE)
    ledger = SqliteLedger(state / LEDGER_FILE, environment, lock)
    store = FolderArtifacts(config.artifacts_folder())
    fence = FileFence(lock, ledger.read_epoch)
    target = LocalTarget(state, store, fence, environ, _watchdog_command(config, environment), open_client)
    ports = EnvironmentPorts(
        name=environment,
        ledger=ledger,
        slots=target.slots,
        router=target.router,
        signals=target.signals,
        prober=target.prober,
        store=store,
        notifier=_choose_notifier(config, environ),
        clock=SystemClock(),
    )
    return LocalEnvironment(ports, target, tuple(_listener(config, environment, name) for name in config.services))


def read_histories(config: Config, environment: str, service: str) -> dict[str, tuple[HistoryEntry, ...]]:
    """For each environment that `gates.after` names: what happened to the service there, newest first."""
    return {
        gate: connect(config, gate, start=False).ledger.read_history(service, 1000)
        for gate in config.environment(environment).gates.after
    }


def _watchdog_command(config: Config, environment: str) -> tuple[str, ...]:
    command = (sys.executable, "-m", "switchover.cli.main", "watch", "--environment", environment)
    return (*command, "--config", str(config.file))


def _listener(config: Config, environment: str, service: str) -> PublicListener:
    host, _, port = config.placement(environment, service).listen.rpartition(":")
    return PublicListener(service, host, int(port))


def _choose_notifier(config: Config, environ: Mapping[str, str]) -> Notifier:
    if config.notifications is None:
        return SilentNotifier()
    address = environ.get(config.notifications.webhook_variable, "")
    if not address:
        return SilentNotifier()
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise InputError(
            "the notification address cannot be used",
            expected=f"an https address in {config.notifications.webhook_variable}",
            found="something else (not shown, it is a secret)",
            next_step="correct the variable, or remove [notifications] from switchover.toml",
        )
    return WebhookNotifier(address, tuple(config.notifications.on))
