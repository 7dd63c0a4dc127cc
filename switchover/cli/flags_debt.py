"""`switchover flags stale` and `remove`: flags that have had their time, out of the code and out of the set."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from switchover.adapters.flag_sources import FolderSources
from switchover.cli.flags_change import Asked, changing, remove_one
from switchover.cli.flags_place import find_place, find_settings, open_flags, place_options
from switchover.cli.flags_render_debt import render_debt, render_removal
from switchover.cli.output import emit, is_terminal
from switchover.errors import InputError
from switchover.flags.opening import open_store
from switchover.operations.flag_debt import choose_answer, find_debt, remove_from_code, require_unasked
from switchover.operations.flag_results import evaluation_counts

FAILED = 1
_KEEPS_COUNTS = ("redis", "unix:")

_sources_option = click.option(
    "--source",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder or file of Python code that asks flags; may be repeated. Else `sources` of [flags], else here.",
)


@click.command()
@_sources_option
@click.option("--days", type=click.IntRange(0, 3650), help="How long is stale; `stale_days` of [flags] if absent.")
@place_options
def stale(
    sources: tuple[Path, ...], days: int | None, store: str | None, config_path: Path | None, *, as_json: bool
) -> None:
    """Show which flags can go, and where code asks them."""
    settings, _ = find_settings(config_path)
    place = find_place(store, config_path)
    report = find_debt(
        open_store(place),
        _open_sources(sources, config_path),
        lambda: datetime.now(UTC),
        counts=_read_counts(place),
        stale_days=settings.stale_days if days is None else days,
    )
    width = shutil.get_terminal_size().columns if is_terminal() else None
    emit(report, render_debt(report, width), as_json=as_json)


@click.command()
@click.argument("name")
@click.option("--value", help="The variant that everybody gets from now on: the code is rewritten for it.")
@click.option("--write", is_flag=True, help="Rewrite the files; else the difference is shown.")
@click.option("--still-asked", is_flag=True, help="Out of the set even while code asks for it.")
@_sources_option
@changing
def remove(
    name: str, value: str | None, sources: tuple[Path, ...], *, write: bool, still_asked: bool, asked: Asked
) -> int:
    """Take a flag out of the code, and the dead branch too.

    First with --value, which rewrites the code; when that is deployed, without it: then the flag leaves the set.
    Status 1 where code still asks for it and could not be rewritten, or where a file could not be read.
    """
    if value is None:
        if write:
            raise InputError(
                "which value stays?",
                expected="--value with the variant that everybody gets, beside --write",
                found="none",
                next_step="add --value on; without --write the flag leaves the set",
            )
        if not still_asked:
            found = _open_sources(sources, asked.config_path)
            _require_unasked(name, found, find_place(asked.store, asked.config_path))
        return remove_one(asked, name)
    flag = open_flags(asked.store, asked.config_path).read().flag(name)
    answer, variant = choose_answer(flag, name, value)
    found = _open_sources(sources, asked.config_path)
    report = remove_from_code(found, name, answer, write=write and not asked.dry_run, variant=variant)
    emit(report, render_removal(report), as_json=asked.as_json)
    return 0 if report.complete else FAILED


def _open_sources(sources: tuple[Path, ...], config_path: Path | None) -> FolderSources:
    settings, root = find_settings(config_path)
    return FolderSources(sources or tuple(root / folder for folder in settings.sources))


def _read_counts(place: str) -> Mapping[str, int] | None:
    """How often each flag was asked; None where nobody counts, which is not the same as never."""
    if not place.startswith(_KEEPS_COUNTS):
        return None
    counted = evaluation_counts(place)
    return {key: sum(day.count for day in days) for key, days in counted.items()} or None


def _require_unasked(name: str, sources: FolderSources, place: str) -> None:
    counted = evaluation_counts(place).get(name, ()) if place.startswith(_KEEPS_COUNTS) else ()
    for warning in require_unasked(sources.find_references(), name, counted, lambda: datetime.now(UTC)):
        click.echo(warning, err=True)
