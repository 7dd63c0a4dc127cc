"""`switchover status`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from switchover.cli.abandoned import open_recovered
from switchover.cli.inspection import EnvironmentStatus, inspect_environment
from switchover.cli.options import chosen_environments, common_options, environment_option, read_config
from switchover.cli.output import emit, is_terminal
from switchover.cli.render_status import render_status
from switchover.cli.surroundings import look_around
from switchover.config import Config

_REFRESH_SECONDS = 1.0
_CLEAR = "\x1b[H\x1b[2J"


@click.command()
@click.argument("service", required=False)
@environment_option
@click.option("--watch", is_flag=True, help="Look again every second until Ctrl-C.")
@common_options
def status(
    service: str | None, environment: str | None, config_path: Path | None, *, watch: bool, as_json: bool
) -> None:
    """Show colours, versions, weights and what is in flight.

    Weights stand there twice: as the ledger has them, and by the router's own word.
    """
    config = read_config(config_path)
    _show(config, environment, service, as_json=as_json)
    while watch:
        time.sleep(_REFRESH_SECONDS)
        if is_terminal() and not as_json:
            click.echo(_CLEAR, nl=False)
        _show(config, environment, service, as_json=as_json)


def _show(config: Config, environment: str | None, service: str | None, *, as_json: bool) -> None:
    statuses: tuple[EnvironmentStatus, ...] = tuple(
        inspect_environment(open_recovered(config, name), service, look_around(config, name))
        for name in chosen_environments(config, environment)
    )
    if service is not None and not any(each.services for each in statuses):
        config.service(service)
    emit({"environments": statuses}, render_status(statuses), as_json=as_json)
