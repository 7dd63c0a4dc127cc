"""A flag set in a JSON file that flagd reads too, as an operator sees and changes it.

Beside `flags.json` stand `flags.json.history.jsonl`, the audit trail, and `flags.json.lock`. Editing the file by hand
is allowed: it counts as the next version, with an entry in the trail that says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from switchover.errors import InputError
from switchover.flags.file_document import (
    NOTHING,
    digest_of,
    parse_file,
    read_file,
    replace_file,
    silent,
    unreadable,
    write_document,
)
from switchover.flags.file_lock import FileLock, lock_path, locked
from switchover.flags.file_trail import Trail, read_reach, read_trail, trail_path, write_trail
from switchover.flags.snapshot import Acknowledgements, Change, Edits, Json, Note, Part, Snapshot, edits_between
from switchover.flags.writing import check_expected, conflict, first_lineage, make_change, own_edits

BY_HAND: Final = Note("unknown", "the file was changed by something else", "edit")


@dataclass(frozen=True, slots=True)
class Found:
    """A set as it was found. `by_hand`: no store has written this state, so its version is the next one."""

    snapshot: Snapshot
    by_hand: bool = False
    exists: bool = True


class FileStore:
    """Port `FlagStore`. Writes are atomic and excluded from each other by a lock on this machine.

    Keeps the last 1000 changes, fewer where they take more than 32 MB. A symbolic link is followed.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = Path(path)
        self._now = now

    def __repr__(self) -> str:
        return f"FileStore({str(self._path)!r})"

    def read(self) -> Snapshot:
        """The set as it is now; version 0 where there is no file."""
        path = self._path.resolve()
        with _disk(path):
            return look(path).snapshot

    def write(self, expected: Snapshot, edits: Edits, note: Note) -> Change:
        """Make the next version. Raises `InputError` also for a set that would be bigger than 10 MB."""
        path, edits = self._path.resolve(), own_edits(edits)
        with _disk(path), locked(path) as lock:
            _finish(path, lock)
            found = look(path)
            _check(expected, found)
            named = found.snapshot if found.snapshot.lineage else replace(found.snapshot, lineage=first_lineage())
            trail, missed = _catch_up(path, named)
            change = make_change(named, edits, note, self._now())
            content = write_document(named.after(change.version, edits))
            lock.intend((*missed, change))
            try:
                replace_file(path, content, like=path)
            except BaseException:
                lock.done()
                raise
            # From here on the change is made. What fails now is finished by whoever comes next.
            with contextlib.suppress(OSError):
                write_trail(path, replace(trail, changes=(*trail.changes, *missed, change)))
                lock.done()
        return change

    def history(self, limit: int | None = None) -> Sequence[Change]:
        """The trail, newest first; an edit by hand that no write has followed yet is at its head."""
        path = self._path.resolve()
        with _disk(path):
            if lock_path(path).exists():
                # Who may not write here can read what there is.
                with contextlib.suppress(OSError), locked(path) as lock:
                    _finish(path, lock)
            trail, missed = _catch_up(path, look(path).snapshot)
            return tuple(reversed((*trail.changes, *missed)))[:limit]

    def acknowledgements(self) -> Acknowledgements:
        """Not known: a file does not know who reads it."""
        return Acknowledgements(known=False)


def look(path: Path) -> Found:
    """What is in the file now. Raises `OSError`, `LedgerUnreadableError`."""
    # In this order: a write that comes between the two must not look like an older file brought back.
    reach = read_reach(path)
    try:
        content = read_file(path)
        noted = NOTHING if content is None else parse_file(content)
    except InputError as error:
        raise unreadable(path, f"{error.problem.failed}: {error.problem.found}") from None
    except ValueError as error:
        raise unreadable(path, str(error)) from None
    except RecursionError:
        raise unreadable(path, "a part with far too many levels") from None
    if content is None and reach is None:
        return Found(Snapshot(), exists=False)
    lineage, newest = reach if reach is not None and noted.lineage in {"", reach[0]} else (noted.lineage, 0)
    if noted.is_ours and noted.version >= newest:
        return Found(Snapshot(noted.version, lineage, noted.parts))
    version = max(noted.version, newest) + 1
    return Found(Snapshot(version, lineage, noted.parts), by_hand=True, exists=content is not None)


def _check(expected: Snapshot, found: Found) -> None:
    check_expected(expected, found.snapshot)
    if found.by_hand and digest_of(expected.parts) != digest_of(found.snapshot.parts):
        raise conflict(expected, "the file was edited once more since then")


def _catch_up(path: Path, found: Snapshot) -> tuple[Trail, tuple[Change, ...]]:
    """The trail, and the entry that it lacks when something else has changed the file. A new set begins a new one."""
    trail = read_trail(path)
    if trail is None or trail.base.lineage != found.lineage:
        return Trail(found), ()
    end = trail.end
    edits = edits_between(end.parts, found.parts)
    if end.version == found.version and not edits:
        return trail, ()
    before: dict[Part, Json] = {part: end.parts.get(part) for part in edits}
    return trail, (Change(found.version, _changed_at(path), BY_HAND, edits, before),)


def _finish(path: Path, lock: FileLock) -> None:
    """Write the entries of a change that was made by a process which died before it could."""
    changes = lock.intended()
    if changes and _is_made(path, changes[-1].version):
        found = look(path).snapshot
        parts: dict[Part, Json] = dict(found.parts)
        for change in reversed(changes):
            parts |= change.before
        begun = Snapshot(changes[0].version - 1, found.lineage, _present(parts))
        trail = read_trail(path)
        kept = trail if trail is not None and trail.base.lineage == begun.lineage else Trail(begun)
        write_trail(path, replace(kept, changes=(*kept.changes, *changes)))
    lock.done()


def _is_made(path: Path, version: int) -> bool:
    """Whether this change is in the file and not in the trail."""
    found, reach = look(path), read_reach(path)
    lacks = reach is None or reach[0] != found.snapshot.lineage or reach[1] < version
    return found.snapshot.version == version and not found.by_hand and lacks


def _present(parts: dict[Part, Json]) -> dict[Part, Json]:
    return {part: value for part, value in parts.items() if value is not None}


def _changed_at(path: Path) -> datetime:
    for place in (path, trail_path(path)):
        with contextlib.suppress(OSError):
            return datetime.fromtimestamp(place.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise silent(path, error) from error
