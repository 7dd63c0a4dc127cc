"""The ledger of the target `local`: one SQLite file per environment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.record_json import dump_entry, dump_record, load_entry, load_record
from switchover.errors import LedgerConflictError, LedgerUnreadableError, SwitchoverError, TargetError
from switchover.model import EnvironmentRecord, HistoryEntry

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE environment (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE history (
    id TEXT PRIMARY KEY, service TEXT NOT NULL, ended_at REAL NOT NULL, document TEXT NOT NULL
);
CREATE INDEX history_by_time ON history (ended_at DESC);
"""
_NEWEST = """
SELECT document FROM history WHERE ?1 IS NULL OR service = ?1 ORDER BY ended_at DESC, rowid DESC LIMIT ?2
"""


class SqliteLedger:
    """Port `Ledger`. Writes happen under the environment's lock, reads never wait for them."""

    def __init__(self, path: Path, environment: str, lock: EnvironmentLock) -> None:
        self._path = path
        self._environment = environment
        self._lock = lock

    def read(self) -> EnvironmentRecord:
        """The document as it is now; revision 0 when nothing was ever written."""
        if not self._path.exists():
            return EnvironmentRecord(self._environment)
        with self._connection() as connection:
            row = connection.execute("SELECT revision, document FROM environment WHERE id = 1").fetchone()
        return EnvironmentRecord(self._environment) if row is None else replace(load_record(row[1]), revision=row[0])

    def read_epoch(self) -> int:
        """The highest fencing epoch handed out."""
        return self.read().epoch

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the document if nobody else has since `record.revision`."""
        following = replace(record, revision=record.revision + 1)
        with self._lock.held(), self._connection() as connection:
            if record.revision == 0:
                statement = "INSERT OR IGNORE INTO environment (id, revision, document) VALUES (1, ?, ?)"
                written = connection.execute(statement, (1, dump_record(following))).rowcount
            else:
                statement = "UPDATE environment SET revision = ?, document = ? WHERE id = 1 AND revision = ?"
                values = (following.revision, dump_record(following), record.revision)
                written = connection.execute(statement, values).rowcount
        if written != 1:
            raise LedgerConflictError(
                f"the ledger of {self._environment} changed meanwhile",
                expected=f"revision {record.revision}",
                found="another one",
                next_step="read it again and decide again",
            )
        return following

    def append_history(self, entry: HistoryEntry) -> None:
        """Keep a finished rollout; the same id again replaces it."""
        with self._lock.held(), self._connection() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO history (id, service, ended_at, document) VALUES (?, ?, ?, ?)",
                (entry.id, entry.service, entry.ended_at, dump_entry(entry)),
            )

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """Newest first."""
        if not self._path.exists():
            return ()
        with self._connection() as connection:
            rows = connection.execute(_NEWEST, (service, limit)).fetchall()
        return tuple(load_entry(row[0]) for row in rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the file, made on first use, with SQLite's errors in our words."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self._path, timeout=10)) as connection:
                self._prepare(connection)
                with connection:
                    yield connection
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error
        except OSError as error:
            raise self._no_room(str(error)) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LedgerUnreadableError(
                f"the ledger {self._path} is from a newer switchover",
                expected=f"format {SCHEMA_VERSION} or older",
                found=f"format {version}",
                next_step="install the newer version again; nothing was changed",
            )
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        # A record that says "switched" must survive a power cut.
        connection.execute("PRAGMA synchronous = FULL")

    def _explain(self, error: sqlite3.DatabaseError) -> SwitchoverError:
        if isinstance(error, sqlite3.OperationalError):
            return self._no_room(str(error))
        return LedgerUnreadableError(
            f"the ledger {self._path} is damaged",
            expected="a SQLite file",
            found=str(error),
            next_step="restore it from a backup, or move it away to begin with an empty one; nothing was changed",
        )

    def _no_room(self, found: str) -> TargetError:
        return TargetError(
            f"cannot use the ledger {self._path}",
            expected="a folder that can be written, with room left",
            found=found,
            next_step="make room or correct the rights, then repeat; an intent not written was not acted on",
        )
