"""`switchover start` and `switchover stop`: a local environment's router, supervisor and replicas."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.adapters.connect import open_local
from switchover.cli.abandoned import end_abandoned
from switchover.cli.options import choose_environment, common_options, environment_option, read_config
from switchover.cli.output import emit
from switchover.cli.readiness import await_live
from switchover.errors import BusyError
from switchover.operations.recovery import rollouts_in_flight


@click.command()
@environment_option
@common_options
def start(environment: str | None, config_path: Path | None, *, as_json: bool) -> None:
    """Bring an environment up as its ledger has it.

    For example after a reboot. Returns when what is live answers; exit status 1 when it does not in its
    `ready_seconds`. Repeating is a no-op.
    """
    config = read_config(config_path)
    name = choose_environment(config, environment)
    local = open_local(config, name)
    local.ensure_running()
    end_abandoned(local.ports)
    await_live(local.ports, lambda line: click.echo(f"{name}: {line}", err=True))
    addresses = {listener.service: local.target.read_address(listener.service) for listener in local.listeners}
    text = "\n".join([f"{name} is up", *(f"  {service}  http://{where}" for service, where in addresses.items())])
    emit({"environment": name, "addresses": addresses}, text, as_json=as_json)


@click.command()
@environment_option
@click.option("--force", is_flag=True, help="Stop it in the middle of a rollout too; `start` recovers that one.")
@common_options
def stop(environment: str | None, config_path: Path | None, *, force: bool, as_json: bool) -> None:
    """End an environment; its ledger keeps what should run.

    Router, supervisor and replicas end: nobody is served any more until `switchover start`.
    """
    config = read_config(config_path)
    name = choose_environment(config, environment)
    local = open_local(config, name)
    in_flight = () if force else rollouts_in_flight(local.ports.ledger.read())
    if in_flight:
        raise BusyError(
            f"{name} has a rollout in flight",
            expected="no rollout in flight",
            found=", ".join(f"{each.service} {each.release.version} is {each.phase}" for each in in_flight),
            next_step="wait for it, end it with `switchover rollback`, or add --force",
        )
    local.target.stop_environment()
    emit({"environment": name, "stopped": True}, f"{name} is stopped", as_json=as_json)
