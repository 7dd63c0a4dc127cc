"""`switchover watch`: the watchdog of one environment. It runs for ever and says only what happened."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from switchover.cli.options import common_options, environment_option, find_way_back, open_for_rollback, state_option
from switchover.cli.output import emit
from switchover.errors import SwitchoverError
from switchover.model import HistoryEntry, Lease
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import is_abandoned
from switchover.operations.recovery import recover_abandoned

HOLDER = "watchdog"
_LOOK_SECONDS = 1.0


@click.command()
@environment_option
@state_option
@common_options
def watch(environment: str | None, state: Path | None, config_path: Path | None, *, as_json: bool) -> None:
    """End rollouts whose deployer has died; runs for ever.

    Looks once a second and ends on SIGTERM. The environment's supervisor runs one of these by itself.
    """
    found = find_way_back(config_path, environment, state)
    name = found.facts.environment
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    last_trouble = ""
    suspected: Lease | None = None
    while not ended.is_set():
        trouble = ""
        try:
            suspected, entries = look(partial(open_for_rollback, found), suspected)
            for entry in entries:
                emit({"recovered": entry}, _describe(name, entry), as_json=as_json)
        # The watchdog outlives whatever one look meets: a full disk, a router that restarts, a defect.
        except Exception as error:  # noqa: BLE001
            trouble = _explain(error)
        if trouble and trouble != last_trouble:
            click.echo(f"{name}: {trouble}", err=True)
        last_trouble = trouble
        ended.wait(_LOOK_SECONDS)


def look(
    connect: Callable[..., EnvironmentPorts], suspected: Lease | None
) -> tuple[Lease | None, tuple[HistoryEntry, ...]]:
    """Look once, and end what is abandoned for the second look in a row; `suspected` is the lease of the look before.

    A target that was away for a moment kept a living deployer from renewing its lease: that goes first when it is
    back. The router is brought up only when there is something to end.
    """
    ports = connect(start=False)
    record = ports.ledger.read()
    if not is_abandoned(record, ports.clock.now()):
        return None, ()
    if record.lease is not None and record.lease != suspected:
        return record.lease, ()
    return None, recover_abandoned(connect(start=True), HOLDER)


def _describe(environment: str, entry: HistoryEntry) -> str:
    why = "; ".join(reason.message for reason in entry.reasons)
    return f"{environment}: {entry.service} {entry.to_version} {entry.outcome} ({why})"


def _explain(error: Exception) -> str:
    if isinstance(error, SwitchoverError):
        return f"{error.problem.failed}: {error.problem.found}"
    return f"{type(error).__name__}: {error}"
