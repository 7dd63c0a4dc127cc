"""The ledger of the target `local`: one SQLite file per environment.

The file appears whole, by a rename, with the first write: one that is empty or has no format has lost its content.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.record_json import dump_entry, dump_record, load_entry, load_record
from switchover.adapters.sqlite_errors import damaged, explain
from switchover.errors import LedgerConflictError, LedgerUnreadableError
from switchover.model import EnvironmentRecord, HistoryEntry

SCHEMA_VERSION = 1
_WAIT_SECONDS = 10.0
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
    """Port `Ledger`. Writes happen under the environment's lock, reads never wait for them.

    `find_traces` names what would not be there if nothing had ever been written, the slots in use: while there is
    something, a missing file is a lost one.
    """

    def __init__(
        self,
        path: Path,
        environment: str,
        lock: EnvironmentLock,
        find_traces: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._path = path
        self._environment = environment
        self._lock = lock
        self._find_traces = find_traces

    def read(self) -> EnvironmentRecord:
        """The document as it is now; revision 0 when nothing was ever written."""
        if not self._path.exists():
            self._require_no_traces()
            return EnvironmentRecord(self._environment)
        with self._connection() as connection:
            row = connection.execute("SELECT revision, document FROM environment WHERE id = 1").fetchone()
        if row is None:
            return EnvironmentRecord(self._environment)
        record = replace(load_record(row[1]), revision=row[0])
        if record.environment != self._environment:
            raise LedgerUnreadableError(
                f"the ledger {self._path} is that of another environment",
                expected=self._environment,
                found=record.environment,
                next_step="give each environment a `state` of its own in switchover.toml; nothing was changed",
            )
        return record

    def read_epoch(self) -> int:
        """The highest fencing epoch handed out."""
        return self.read().epoch

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the document if nobody else has since `record.revision`."""
        following = replace(record, revision=record.revision + 1)
        with self._lock.held(), self._connection(make=True) as connection:
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
        with self._lock.held(), self._connection(make=True) as connection:
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
    def _connection(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction on the file, with SQLite's errors in our words. `make`: the file, if there is none yet."""
        try:
            if make and not self._path.exists():
                self._make()
            self._require_content()
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS)) as connection:
                self._require_known_format(connection)
                # A record that says "switched" must survive a power cut.
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection
        except (sqlite3.DatabaseError, OSError) as error:
            raise explain(error, self._path) from error

    def _make(self) -> None:
        """Make the file beside its place and move it there whole. The caller holds the lock."""
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self._path.with_name(f"{self._path.name}.new")
        for left in folder.glob(f"{beside.name}*"):
            left.unlink()
        with closing(sqlite3.connect(beside)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"{_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            beside.rename(self._path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _require_no_traces(self) -> None:
        traces = self._find_traces()
        if traces:
            raise LedgerUnreadableError(
                f"the ledger {self._path} is missing",
                expected="the file: something should run in " + ", ".join(traces),
                found="no such file",
                next_step=(
                    "restore it from a backup; or begin anew: `switchover stop --force`, "
                    f"then move {self._path.parent} away; nothing was changed"
                ),
            )

    def _require_content(self) -> None:
        if self._path.stat().st_size == 0:
            raise damaged(self._path, "an empty file")

    def _require_known_format(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LedgerUnreadableError(
                f"the ledger {self._path} is from a newer switchover",
                expected=f"format {SCHEMA_VERSION} or older",
                found=f"format {version}",
                next_step="install the newer version again; nothing was changed",
            )
        if version == 0:
            raise damaged(self._path, "a SQLite file that is no ledger")
