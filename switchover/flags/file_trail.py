"""The audit trail beside a file: one JSON object a line.

The first line says how far it reaches, the second is the set before the oldest change, the others are the changes. The
second makes what was edited by hand visible: the trail, played from there, is what a store has written last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from switchover.errors import LedgerUnreadableError
from switchover.flags.file_document import replace_file, to_text
from switchover.flags.snapshot import Change, Json, Note, Part, Snapshot

MOST_CHANGES: Final = 1000
MOST_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class Trail:
    """The set before the first of `changes`, which are oldest first."""

    base: Snapshot
    changes: tuple[Change, ...] = ()

    @property
    def end(self) -> Snapshot:
        """The set that the changes have led to."""
        parts: dict[Part, Json] = dict(self.base.parts)
        for change in self.changes:
            parts |= change.edits
        version = self.changes[-1].version if self.changes else self.base.version
        return Snapshot(version, self.base.lineage, {part: value for part, value in parts.items() if value is not None})


def trail_path(path: Path) -> Path:
    """Where the trail of a set stands."""
    return path.with_name(f"{path.name}.history.jsonl")


def read_reach(path: Path) -> tuple[str, int] | None:
    """The lineage and the newest version of a trail, None without one. Raises `OSError`, `LedgerUnreadableError`."""
    try:
        with trail_path(path).open("rb") as file:
            head = _parse(path, file.readline(1000))
    except FileNotFoundError:
        return None
    match head:
        case {"lineage": str(lineage), "newest": int(newest)}:
            return lineage, newest
    raise _broken(path)


def read_trail(path: Path) -> Trail | None:
    """The whole trail, None without one. Raises `OSError`, `LedgerUnreadableError`."""
    reach = read_reach(path)
    if reach is None:
        return None
    try:
        _, begun, *entries = (_parse(path, line) for line in trail_path(path).read_bytes().splitlines())
        return Trail(Snapshot(begun["version"], reach[0], begun["base"]), tuple(map(read_change, entries)))
    except (KeyError, TypeError, ValueError):
        raise _broken(path) from None


def write_trail(path: Path, trail: Trail) -> None:
    """Replace the trail; the oldest changes go into its base when there are too many.

    That of another lineage is moved away. Raises `OSError`.
    """
    reach = read_reach(path)
    if reach is not None and reach[0] != trail.base.lineage:
        trail_path(path).replace(path.with_name(f"{path.name}.history.former.jsonl"))
    lines = [_write(change_json(change)) for change in trail.changes]
    dropped, size = max(0, len(lines) - MOST_CHANGES), sum(map(len, lines[-MOST_CHANGES:]))
    while size > MOST_BYTES and dropped < len(lines) - 1:
        size -= len(lines[dropped])
        dropped += 1
    base = replace(trail, changes=trail.changes[:dropped]).end
    head = _write({"lineage": trail.base.lineage, "newest": trail.end.version})
    first = _write({"version": base.version, "base": dict(base.parts)})
    replace_file(trail_path(path), b"\n".join((head, first, *lines[dropped:], b"")), like=path)


def change_json(change: Change) -> dict[str, Json]:
    """A change as it is written."""
    return {
        "version": change.version,
        "at": change.at.isoformat(),
        "who": _in_utf8(change.note.who),
        "why": _in_utf8(change.note.why),
        "action": _in_utf8(change.note.action),
        "edits": dict(change.edits),
        "before": dict(change.before),
    }


def read_change(entry: Mapping[str, Any]) -> Change:
    """The change in an entry. Raises `KeyError`, `TypeError`, `ValueError`."""
    note = Note(entry["who"], entry["why"], entry["action"])
    return Change(entry["version"], datetime.fromisoformat(entry["at"]), note, entry["edits"], entry["before"])


def _in_utf8(text: str) -> str:
    """A name from the operating system may hold bytes of another encoding."""
    return text.encode(errors="replace").decode()


def _write(entry: Mapping[str, Json]) -> bytes:
    return to_text(entry).encode()


def _parse(path: Path, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise _broken(path) from None


def _broken(path: Path) -> LedgerUnreadableError:
    return LedgerUnreadableError(
        f"the audit trail {trail_path(path)} is broken",
        expected="the lines that switchover writes",
        found="another one",
        next_step="mend it, or move it away to begin a new one; nothing was changed",
    )
