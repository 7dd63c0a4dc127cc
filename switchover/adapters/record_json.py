"""The ledger's values as JSON, read back strictly: an unknown field is an error, never ignored."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from switchover.errors import LedgerUnreadableError
from switchover.model import EnvironmentRecord, HistoryEntry

_T = TypeVar("_T")
_RECORD = TypeAdapter(EnvironmentRecord)
_ENTRY = TypeAdapter(HistoryEntry)


def dump_record(record: EnvironmentRecord) -> str:
    """The document as the ledger stores it."""
    return _RECORD.dump_json(record).decode()


def load_record(text: str) -> EnvironmentRecord:
    """The document back; raise `LedgerUnreadableError` for anything that we would not have written ourselves."""
    return _load(_RECORD, text)


def dump_entry(entry: HistoryEntry) -> str:
    """A history entry as the ledger stores it."""
    return _ENTRY.dump_json(entry).decode()


def load_entry(text: str) -> HistoryEntry:
    """A history entry back, as strictly as a record."""
    return _load(_ENTRY, text)


def _load(adapter: TypeAdapter[_T], text: str) -> _T:
    try:
        value = adapter.validate_json(text)
    except ValidationError as error:
        raise _unreadable(str(error.errors()[0]["loc"]) + " " + error.errors()[0]["msg"]) from None
    # Dataclasses ignore unknown fields. A field that is missing was added since, and has its default.
    unknown = _find_unknown(json.loads(text), adapter.dump_python(value, mode="json"))
    if unknown:
        raise _unreadable(f"fields that this version does not know: {', '.join(unknown)}")
    return value


def _find_unknown(stored: Any, understood: Any, place: str = "") -> list[str]:
    if isinstance(stored, dict) and isinstance(understood, dict):
        found = [f"{place}{name}" for name in stored if name not in understood]
        pairs = {name: (stored[name], understood[name]) for name in stored if name in understood}
        return found + [deep for name, pair in pairs.items() for deep in _find_unknown(*pair, f"{place}{name}.")]
    if isinstance(stored, list) and isinstance(understood, list):
        both = zip(stored, understood, strict=True)
        return [deep for each, taken in both for deep in _find_unknown(each, taken, place)]
    return []


def _unreadable(found: str) -> LedgerUnreadableError:
    return LedgerUnreadableError(
        "the ledger cannot be read",
        expected="a document written by this version of switchover",
        found=found,
        next_step="install the version that wrote it, or restore the ledger file from a backup; nothing was changed",
    )
