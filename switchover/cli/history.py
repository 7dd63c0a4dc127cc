"""`switchover history`."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import click

from switchover.cli.abandoned import open_recovered
from switchover.cli.options import chosen_environments, common_options, environment_option, read_config
from switchover.cli.output import align, emit
from switchover.cli.tables import Rows, render_table
from switchover.model import HistoryEntry

_HEAD = ("ended", "environment", "service", "kind", "from", "to", "strategy", "outcome", "took")
_PIPE_WIDTH = 160
_LEAST_ROOM = 24
_MARGINS = 4


@click.command()
@click.argument("service", required=False)
@environment_option
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most this many.")
@click.option("-v", "--reasons", is_flag=True, help="Show all reasons in full, below what they explain.")
@common_options
def history(
    service: str | None,
    environment: str | None,
    limit: int,
    config_path: Path | None,
    *,
    reasons: bool,
    as_json: bool,
) -> None:
    """Show past rollouts with outcome and reasons.

    The newest comes first; SERVICE restricts it to one service. Of the reasons the first stands there, as far as
    there is room.
    """
    config = read_config(config_path)
    found = [
        (name, entry)
        for name in chosen_environments(config, environment)
        for entry in open_recovered(config, name).ledger.read_history(service, limit)
    ]
    if service is not None and not found:
        config.service(service)
    found.sort(key=lambda each: each[1].ended_at, reverse=True)
    del found[limit:]
    document = {"history": [{"environment": name, "entry": entry} for name, entry in found]}
    emit(document, _render(found, in_full=reasons), as_json=as_json)


def _render(found: list[tuple[str, HistoryEntry]], *, in_full: bool) -> str:
    if not found:
        return "nothing has ended here yet"
    rows: Rows = [_row(environment, entry) for environment, entry in found]
    if in_full:
        head, *lines = align([_HEAD, *rows]).splitlines()
        pairs = zip(lines, found, strict=True)
        return "\n".join([head, *("\n".join([line, *_list_reasons(entry)]) for line, (_, entry) in pairs)])
    taken = max(len(line) for line in align([_HEAD, *rows]).splitlines()) + _MARGINS
    room = shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns - taken
    shortened = [_shorten_reasons(entry, max(room, _LEAST_ROOM)) for _, entry in found]
    return render_table((*_HEAD, "reason"), [(*row, why) for row, why in zip(rows, shortened, strict=True)])


def _list_reasons(entry: HistoryEntry) -> list[str]:
    return [f"  {reason.rule}: {reason.message}" for reason in entry.reasons]


def _shorten_reasons(entry: HistoryEntry, room: int) -> str:
    if not entry.reasons:
        return "-"
    first, more = entry.reasons[0].message, len(entry.reasons) - 1
    tail = f" (+{more})" if more else ""
    return first + tail if len(first + tail) <= room else first[: room - len(tail) - 1].rstrip() + "…" + tail


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
    )
