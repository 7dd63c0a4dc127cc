"""What a store that lives beside its readers (in memory, in a file) does with a change before it keeps it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime

from switchover.errors import InputError, LedgerConflictError
from switchover.flags.snapshot import SECTIONS, Change, Edits, Json, Note, Part, Snapshot


def first_lineage() -> str:
    """A random name."""
    return os.urandom(8).hex()


def own_edits(edits: Mapping[Part, object]) -> dict[Part, Json]:
    """A copy of our own. Raises `InputError` for what is no part or not of JSON (NaN, half a surrogate pair)."""
    return {part: _own_value(part, value) for part, value in edits.items()}


def _own_value(part: Part, value: object) -> Json:
    try:
        section, slash, name = part.partition("/")
        if section not in SECTIONS or not slash or not name:
            raise ValueError(part)  # noqa: TRY301 - one answer to all that is wrong with it
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        f"{part}{text}".encode()
        copied: Json = json.loads(text)
    except (AttributeError, ValueError, TypeError, RecursionError):
        raise InputError(
            "the change cannot be stored",
            expected="parts like flags/<key>, $evaluators/<name>, metadata/<name>, each of JSON",
            found=f"{part!r:.100} is none, or is not of JSON",
            next_step="correct it",
        ) from None
    return copied


def check_expected(expected: Snapshot, found: Snapshot) -> None:
    """Raise `LedgerConflictError` unless the set is still the one that was read."""
    if (expected.version, expected.lineage) != (found.version, found.lineage):
        raise conflict(expected, f"version {found.version} of lineage {found.lineage or '(none)'}")


def conflict(expected: Snapshot, found: str) -> LedgerConflictError:
    """Somebody was faster."""
    return LedgerConflictError(
        "the flag set changed meanwhile",
        expected=f"version {expected.version} of lineage {expected.lineage or '(none)'}",
        found=found,
        next_step="read it again and decide again",
    )


def make_change(found: Snapshot, edits: Edits, note: Note, at: datetime) -> Change:
    """The entry of the audit trail for these edits of the set that was found."""
    return Change(found.version + 1, at, note, edits, {part: found.parts.get(part) for part in edits})
