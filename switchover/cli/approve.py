"""`switchover approve`: a person's answer, written into the ledger that the deployment waits at."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.cli.options import choose_environment, common_options, environment_option, open_ports, read_config
from switchover.cli.output import emit
from switchover.cli.person import name_person
from switchover.model import Approval
from switchover.operations.approval import answer_approval


@click.command()
@click.argument("service")
@click.argument("version", required=False)
@environment_option
@click.option("--reject", is_flag=True, help="Say no: the live colour goes on serving, the tested one is removed.")
@click.option("--comment", default="", help="Kept in the ledger and in the history.")
@common_options
def approve(
    service: str,
    version: str | None,
    environment: str | None,
    comment: str,
    config_path: Path | None,
    *,
    reject: bool,
    as_json: bool,
) -> None:
    """Say yes or no to a tested deployment that waits for it.

    With VERSION nothing else is answered, whatever waits by now. The same answer can be given in the Prefect UI, by
    resuming the flow run; the first one counts.
    """
    config = read_config(config_path)
    config.service(service)
    environment = choose_environment(config, environment)
    ports = open_ports(config, environment, start=False)
    given = Approval(not reject, name_person(), comment, ports.clock.now())
    rollout = answer_approval(ports, service, given, version=version and version.removeprefix("v"))
    counted = rollout.approval if rollout and rollout.approval else given
    word = "approved" if counted.approved else "rejected"
    answered = rollout.release.version if rollout else ""
    text = f"{service} {answered} in {environment}: {word} by {counted.by}"
    emit(
        {"environment": environment, "service": service, "version": answered, "approval": counted},
        text,
        as_json=as_json,
    )
