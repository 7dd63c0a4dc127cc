"""The ledger's values as JSON, read back strictly: an unknown or missing field is an error, never a guess."""

from __future__ import annotations

import json
from typing import TypeVar

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
    # Dataclasses ignore unknown fields and default missing ones; only what reads back the same is taken.
    if adapter.dump_python(value, mode="json") != json.loads(text):
        raise _unreadable("fields that this version does not know")
    return value


def _unreadable(found: str) -> LedgerUnreadableError:
    return LedgerUnreadableError(
        "the ledger cannot be read",
        expected="a document written by this version of switchover",
        found=found,
        next_step="install the version that wrote it, or restore the ledger file from a backup; nothing was changed",
    )
