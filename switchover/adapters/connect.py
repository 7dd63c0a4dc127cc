"""From configuration to the ports of one environment: the one place that knows which adapter stands behind which."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchover.adapters.container_engine import OpenClient
from switchover.adapters.environment_facts import EnvironmentFacts
from switchover.adapters.file_fence import EnvironmentLock, FileFence
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.local_target import LocalTarget, PublicListener
from switchover.adapters.private_files import ensure_private_folder
from switchover.adapters.slot_file import find_wanted
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.adapters.system_clock import SystemClock
from switchover.adapters.webhook_notifier import SilentNotifier, WebhookNotifier
from switchover.config import Config
from switchover.errors import InputError, TargetError
from switchover.model import HistoryEntry
from switchover.operations.environment import EnvironmentPorts
from switchover.ports import Notifier

if TYPE_CHECKING:
    from switchover.adapters.kube_credentials import Credentials

LEDGER_FILE = "ledger.db"
_log = logging.getLogger(__name__)
_LOCK_FILE = "environment.lock"
_OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """One environment of the target `local`, with what only an operator asks of it beside its ports."""

    ports: EnvironmentPorts
    target: LocalTarget
    facts: EnvironmentFacts
    listeners: tuple[PublicListener, ...]

    def ensure_running(self) -> None:
        """Bring router and supervisor up, with a listener for every service."""
        self.facts.write()
        self.target.ensure_running(self.listeners)


def connect(
    config: Config,
    environment: str,
    *,
    start: bool,
    environ: Mapping[str, str] = os.environ,
    open_client: OpenClient | None = None,
    credentials: Credentials | None = None,
) -> EnvironmentPorts:
    """The ports of an environment. With `start` what switchover itself runs there is up when this returns.

    `credentials`: those for a cluster, None for what the configuration and the surroundings of the process say.
    """
    if config.environment(environment).kubernetes is not None:
        facts = EnvironmentFacts.of(config, environment)
        if start:
            _keep(facts)
        return _open_cluster(facts, environ, _choose_notifier(facts, environ), credentials)
    local = open_local(config, environment, environ, open_client)
    if start:
        local.ensure_running()
    return local.ports


def connect_for_rollback(
    facts: EnvironmentFacts,
    *,
    start: bool,
    environ: Mapping[str, str] = os.environ,
    credentials: Credentials | None = None,
) -> EnvironmentPorts:
    """The ports of an environment whose traffic must go back. With `start` its router answers when this returns.

    What a rollback does not need cannot fail here: no listener is placed, the supervisor is not asked while the
    router answers, and a notification address that cannot be used is only told.
    """
    try:
        notifier = _choose_notifier(facts, environ)
    except InputError as error:
        _log.warning("nobody is notified: %s", error.problem.failed)
        notifier = SilentNotifier()
    if facts.cluster is not None:
        return _open_cluster(facts, environ, notifier, credentials)
    ports, target = _open(facts, environ, None, notifier)
    if start:
        target.ensure_routing()
    return ports


def open_local(
    config: Config, environment: str, environ: Mapping[str, str] = os.environ, open_client: OpenClient | None = None
) -> LocalEnvironment:
    """Build everything and start nothing. `open_client`: the container engine, None for that of `DOCKER_HOST`.

    Raises `InputError` for an environment on Kubernetes, of which this machine runs nothing.
    """
    facts = EnvironmentFacts.of(config, environment)
    if facts.cluster is not None:
        raise InputError(
            f"{environment} is not on this machine",
            expected='an environment with `target = "local"`',
            found="one on Kubernetes, whose parts the cluster itself runs",
            next_step="look at it with `switchover status`, or with kubectl",
        )
    listeners = tuple(_listener(config, environment, name) for name in config.services)
    return LocalEnvironment(*_open(facts, environ, open_client, _choose_notifier(facts, environ)), facts, listeners)


def _open_cluster(
    facts: EnvironmentFacts, environ: Mapping[str, str], notifier: Notifier, credentials: Credentials | None
) -> EnvironmentPorts:
    # The cluster's client takes a second to import, which nobody on this machine alone should wait for.
    from switchover.adapters.kube_target import open_cluster  # noqa: PLC0415

    return open_cluster(facts, environ, notifier, credentials)


def _keep(facts: EnvironmentFacts) -> None:
    """Write down what a rollback needs beside a broken configuration; where no file can be kept, it goes without."""
    try:
        ensure_private_folder(facts.state)
        facts.write()
    except TargetError as error:
        _log.warning("a rollback will need a readable configuration: %s", error.problem.found)


def _open(
    facts: EnvironmentFacts, environ: Mapping[str, str], open_client: OpenClient | None, notifier: Notifier
) -> tuple[EnvironmentPorts, LocalTarget]:
    lock = EnvironmentLock(facts.state / _LOCK_FILE)
    ledger = SqliteLedger(facts.state / LEDGER_FILE, facts.environment, lock, partial(find_wanted, facts.state))
    store = FolderArtifacts(facts.artifacts)
    fence = FileFence(lock, ledger.read_epoch)
    told = () if facts.webhook_variable is None else (facts.webhook_variable,)
    target = LocalTarget(facts.state, store, fence, environ, _watchdog_command(facts), open_client, told)
    ports = EnvironmentPorts(
        name=facts.environment,
        ledger=ledger,
        slots=target.slots,
        router=target.router,
        signals=target.signals,
        prober=target.prober,
        preflight=target.preflight,
        migrator=target.migrator,
        releases=store,
        notifier=notifier,
        clock=SystemClock(),
    )
    return ports, target


def read_histories(config: Config, environment: str, service: str) -> dict[str, tuple[HistoryEntry, ...]]:
    """For each environment that `gates.after` names: what happened to the service there, newest first."""
    return {
        gate: connect(config, gate, start=False).ledger.read_history(service, 1000)
        for gate in config.environment(environment).gates.after
    }


def _watchdog_command(facts: EnvironmentFacts) -> tuple[str, ...]:
    # By the state folder: the watchdog must come up beside a switchover.toml that is broken or gone.
    return (sys.executable, "-m", "switchover.cli.main", "watch", "--state", str(facts.state))


def _listener(config: Config, environment: str, service: str) -> PublicListener:
    host, _, port = config.placement(environment, service).listen.rpartition(":")
    return PublicListener(service, host, int(port))


def _choose_notifier(facts: EnvironmentFacts, environ: Mapping[str, str]) -> Notifier:
    address = environ.get(facts.webhook_variable, "") if facts.webhook_variable else ""
    if not address:
        return SilentNotifier()
    if not _is_usable(address):
        raise InputError(
            "the notification address cannot be used",
            expected=f"an https address, without a user or password in it, in {facts.webhook_variable}",
            found="something else (not shown, it is a secret)",
            next_step="correct the variable, or remove [notifications] from switchover.toml",
        )
    return WebhookNotifier(address, facts.told_outcomes)


def _is_usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # reading the port is what checks it
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _OWN_HOSTS)
