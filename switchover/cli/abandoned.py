"""Opening an environment to look at it: a rollout that a dead deployer left there is ended first."""

from __future__ import annotations

import click

from switchover.cli.options import open_ports
from switchover.config import Config
from switchover.errors import LedgerUnreadableError, SwitchoverError
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import is_abandoned
from switchover.operations.recovery import recover_abandoned, rollouts_in_flight


def open_recovered(config: Config, environment: str) -> EnvironmentPorts:
    """As `open_ports` without a start; what is abandoned there is ended, and standard error says so."""
    ports = open_ports(config, environment, start=False)
    end_abandoned(ports)
    return ports


def end_abandoned(ports: EnvironmentPorts) -> None:
    """End every rollout whose lease has expired, where the router is up. Whatever goes wrong is only told."""
    try:
        if is_abandoned(ports.ledger.read(), ports.clock.now()):
            _end(ports)
    except LedgerUnreadableError:
        return  # the command itself says it, once
    # The command came to look: it looks, whatever the recovery meets, and shows what it then finds.
    except Exception as error:  # noqa: BLE001
        _say(f"{ports.name}: could not end what a dead deployer left: {_explain(error)}")


def _end(ports: EnvironmentPorts) -> None:
    left = rollouts_in_flight(ports.ledger.read())
    names = ", ".join(f"{rollout.service} {rollout.release.version}" for rollout in left)
    if not all(_is_routed(ports, rollout.service) for rollout in left):
        way = "`switchover start` brings the environment up and ends it"
        _say(f"{ports.name}: a dead deployer left a rollout of {names}, and the router is down; {way}")
        return
    command = click.get_current_context().info_name or "looking"
    for entry in recover_abandoned(ports, f"switchover {command}"):
        ended = f"{entry.service} {entry.to_version} {entry.outcome}"
        _say(f"{ports.name}: ended what a dead deployer left: {ended}")


def _is_routed(ports: EnvironmentPorts, service: str) -> bool:
    try:
        return ports.router.read_route(service) is not None
    except SwitchoverError:
        return False


def _explain(error: Exception) -> str:
    if isinstance(error, SwitchoverError):
        return f"{error.problem.failed}: {error.problem.found}"
    return f"{type(error).__name__}: {error}"


def _say(line: str) -> None:
    click.echo(line, err=True)
