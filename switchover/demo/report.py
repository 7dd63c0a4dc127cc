"""The end of the demonstration as a table for people and a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from switchover.demo.figures import PhaseFigures
from switchover.demo.promises import Promise
from switchover.demo.records import Kind, PhaseRecord

_REFUSED = (Kind.BAD, Kind.UNSEEN, Kind.SLOW)


def report_to_json(
    played: Sequence[tuple[PhaseRecord, PhaseFigures]],
    promises: Sequence[Promise],
    seconds: float,
    files: Sequence[Path],
) -> dict[str, Any]:
    """The document that `--json` prints. Times are seconds, shares percent; null: there is no such figure."""
    return {
        "kept": all(promise.kept for promise in promises),
        "seconds": round(seconds, 1),
        "phases": [_phase_to_json(record, figures) for record, figures in played],
        "promises": [
            {"name": each.name, "promise": each.text, "kept": each.kept, "found": each.found} for each in promises
        ],
        "files": [str(file) for file in files],
    }


def _phase_to_json(record: PhaseRecord, figures: PhaseFigures) -> dict[str, Any]:
    return {
        "step": record.scene.number,
        "phase": record.scene.title,
        "version": record.scene.version,
        "outcome": record.outcome,
        "begin": round(record.begin, 3),
        "seconds": round(record.end - record.begin, 1),
        "requests": figures.requests,
        "failed": figures.failed,
        "users_reached": figures.reached if record.scene.kind in _REFUSED else None,
        "users_reached_percent": _round(figures.reached_percent) if record.scene.kind in _REFUSED else None,
        "users_reached_percent_while_exposed": (
            _round(figures.exposed_percent) if record.scene.kind in _REFUSED else None
        ),
        "seconds_exposed": _round(figures.exposure_seconds),
        "seconds_of_detection": _round(figures.detection_seconds),
        "seconds_of_rollback": _round(figures.rollback_seconds),
        "reasons": list(record.rollout.reasons) if record.rollout else [],
        "state_hook_started_rollback": record.hook_started_rollback,
    }


def print_report(
    console: Console, played: Sequence[tuple[PhaseRecord, PhaseFigures]], promises: Sequence[Promise]
) -> None:
    """Print a table of the phases and one of the promises."""
    phases = Table(title="What happened", title_justify="left", expand=False)
    phases.add_column("")
    phases.add_column("phase", no_wrap=True)
    phases.add_column("outcome", no_wrap=True)
    for heading in ("requests", "failed", "users reached", "detected after", "taken back in"):
        phases.add_column(heading, justify="right")
    for record, figures in played:
        reached = f"{figures.reached_percent:.1f} %" if record.scene.kind in _REFUSED else "–"
        phases.add_row(
            str(record.scene.number),
            record.scene.title,
            record.outcome,
            str(figures.requests),
            str(figures.failed),
            reached,
            _seconds(figures.detection_seconds, 1),
            _seconds(figures.rollback_seconds, 2),
        )
    console.print(phases)
    table = Table(title="What was promised", title_justify="left", expand=False)
    table.add_column("")
    table.add_column("promise", max_width=62)
    table.add_column("found", overflow="fold")
    for promise in promises:
        mark = "[green]✓ kept[/]" if promise.kept else "[bold red]✗ BROKEN[/]"
        table.add_row(mark, promise.text, promise.found)
    console.print(table)


def _seconds(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f} s"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
