"""SQLite's errors about the ledger in our words, each with what helps against it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from switchover.errors import BusyError, LedgerUnreadableError, SwitchoverError, TargetError

# The lowest byte of an error code is its kind, the rest says more about it.
_KIND = 0xFF
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_RIGHTS = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


def explain(error: sqlite3.DatabaseError | OSError, path: Path) -> SwitchoverError:
    """What to raise instead: locked, disk full, no rights; anything else says that the file is damaged."""
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _KIND
    if isinstance(error, OSError):
        kind = sqlite3.SQLITE_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else sqlite3.SQLITE_PERM
    if kind in _LOCKED:
        return BusyError(
            f"cannot use the ledger {path}",
            expected="nobody else to hold it for more than 10 s",
            found=str(error),
            next_step=f"end the program that has it open (`fuser {path}` names it), then repeat",
        )
    if kind in _FULL:
        return _unusable(path, "a disk with room left", error, "make room on that disk, then repeat")
    if kind in _RIGHTS:
        return _unusable(path, "a file and a folder that this user can write", error, "correct the rights, then repeat")
    return damaged(path, str(error))


def damaged(path: Path, found: str) -> LedgerUnreadableError:
    """The file is there and is not what we wrote."""
    return LedgerUnreadableError(
        f"the ledger {path} is damaged",
        expected="a SQLite file as switchover writes it",
        found=found,
        next_step="restore it from a backup; nothing was changed and users are served as before. To begin anew, "
        "with an outage: `switchover stop --force`, then move the whole state folder away",
    )


def _unusable(path: Path, expected: str, error: Exception, next_step: str) -> TargetError:
    return TargetError(
        f"cannot use the ledger {path}",
        expected=expected,
        found=str(error),
        next_step=f"{next_step}; an intent not written was not acted on",
    )
