"""`switchover flags list`, `show` and `history`: what there is and how it came to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import click

from switchover.cli.flags_place import (
    CHECK_PLACE,
    flag_keys,
    name_place,
    open_flags,
    place_options,
    require_flag,
    unknown_flag,
)
from switchover.cli.flags_words import describe_flag, list_entry, name_state
from switchover.cli.output import align, emit
from switchover.cli.tables import Rows, render_table
from switchover.flags.snapshot import Change, Snapshot

_LIST_HEAD = ("flag", "state", "serves", "owner", "expires")
_HISTORY_HEAD = ("version", "when", "who", "action", "what", "why")
_NAMED_PARTS = 3


@click.command("list")
@place_options
def list_flags(store: str | None, config_path: Path | None, *, as_json: bool) -> None:
    """Show all flags and what each serves."""
    snapshot = open_flags(store, config_path).read()
    place = name_place(store, config_path)
    entries = [list_entry(key, _flag(snapshot, key)) for key in flag_keys(snapshot)]
    document = {"place": place, "version": snapshot.version, "lineage": snapshot.lineage, "flags": entries}
    emit(document, _render_list(entries, snapshot.version, place), as_json=as_json)


@click.command()
@click.argument("name")
@place_options
def show(name: str, store: str | None, config_path: Path | None, *, as_json: bool) -> None:
    """Show one flag in full."""
    snapshot = open_flags(store, config_path).read()
    flag = require_flag(snapshot, name, name_place(store, config_path))
    lines = [(name, name_state(flag)), *describe_flag(flag)[1:]]
    targeting = flag.get("targeting")
    text = align([(f"{label}:", said) for label, said in lines])
    if targeting:
        text += "\ntargeting:\n" + json.dumps(targeting, indent=2, ensure_ascii=False)
    emit({"version": snapshot.version, **list_entry(name, flag), "definition": flag}, text, as_json=as_json)


@click.command()
@click.argument("name", required=False)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most this many.")
@place_options
def history(name: str | None, limit: int, store: str | None, config_path: Path | None, *, as_json: bool) -> None:
    """Show who changed what, when and why.

    The newest comes first; NAME restricts it to one flag.
    """
    opened = open_flags(store, config_path)
    if name is None:
        changes = list(opened.history(limit))
    else:
        changes = [change for change in opened.history() if f"flags/{name}" in change.edits][:limit]
        snapshot = opened.read()
        if not changes and snapshot.flag(name) is None:
            raise unknown_flag(snapshot, name, name_place(store, config_path))
    emit({"history": [_entry(change) for change in changes]}, _render_history(changes), as_json=as_json)


def _flag(snapshot: Snapshot, key: str) -> dict[str, Any]:
    """The flag, an empty one where something else stands: one broken flag must not hide the others."""
    flag = snapshot.flag(key)
    return flag if isinstance(flag, dict) else {}


def _render_list(entries: list[dict[str, Any]], version: int, place: str) -> str:
    if not entries:
        never = "" if version else ": no set was ever written there, or it was lost"
        return f"no flags at version {version} of {place}{never}; {CHECK_PLACE}"
    rows: Rows = [
        (each["key"], each["state"], each["serves"], each["owner"] or "-", each["expires"] or "-") for each in entries
    ]
    count = f"{len(entries)} flag{'s' if len(entries) > 1 else ''}"
    return f"{render_table(_LIST_HEAD, rows)}\n{count} at version {version} of {place}"


def _entry(change: Change) -> dict[str, Any]:
    return {
        "version": change.version,
        "at": change.at.isoformat(),
        "who": change.note.who,
        "why": change.note.why,
        "action": change.note.action,
        "edits": change.edits,
        "before": change.before,
    }


def _render_history(changes: Sequence[Change]) -> str:
    if not changes:
        return "nothing was changed here yet"
    rows: Rows = [
        (
            str(change.version),
            change.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            change.note.who,
            change.note.action,
            _name_parts(change),
            change.note.why or "-",
        )
        for change in changes
    ]
    return render_table(_HISTORY_HEAD, rows)


def _name_parts(change: Change) -> str:
    names = [part.removeprefix("flags/") for part in sorted(change.edits)]
    more = f" and {len(names) - _NAMED_PARTS} more" if len(names) > _NAMED_PARTS else ""
    return ", ".join(names[:_NAMED_PARTS]) + more
