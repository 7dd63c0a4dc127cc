"""`switchover history`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from switchover.cli.options import chosen_environments, common_options, environment_option, open_ports, read_config
from switchover.cli.output import emit
from switchover.cli.tables import Rows, render_table
from switchover.model import HistoryEntry

_HEAD = ("ended", "environment", "service", "kind", "from", "to", "strategy", "outcome", "took", "reasons")


@click.command()
@click.argument("service", required=False)
@environment_option
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most this many.")
@common_options
def history(
    service: str | None, environment: str | None, limit: int, config_path: Path | None, *, as_json: bool
) -> None:
    """Show past rollouts with outcome and reasons.

    The newest comes first; SERVICE restricts it to one service.
    """
    config = read_config(config_path)
    found = [
        (name, entry)
        for name in chosen_environments(config, environment)
        for entry in open_ports(config, name, start=False).ledger.read_history(service, limit)
    ]
    if service is not None and not found:
        config.service(service)
    found.sort(key=lambda each: each[1].ended_at, reverse=True)
    del found[limit:]
    document = {"history": [{"environment": name, "entry": entry} for name, entry in found]}
    emit(document, _render(found), as_json=as_json)


def _render(found: list[tuple[str, HistoryEntry]]) -> str:
    rows: Rows = [_row(environment, entry) for environment, entry in found]
    return render_table(_HEAD, rows) if rows else "nothing has ended here yet"


def _row(environment: str, entry: HistoryEntry) -> tuple[str, ...]:
    return (
        datetime.fromtimestamp(entry.ended_at).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        environment,
        entry.service,
        entry.kind,
        entry.from_version or "-",
        entry.to_version or "-",
        entry.strategy,
        entry.outcome,
        f"{entry.ended_at - entry.started_at:.0f} s",
        "; ".join(reason.message for reason in entry.reasons) or "-",
    )
