from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.sqlite_errors import explain
from switchover.adapters.sqlite_ledger import SCHEMA_VERSION, SqliteLedger
from switchover.errors import BusyError, LedgerConflictError, LedgerUnreadableError, SwitchoverError, TargetError
from tests.builders import a_begun_record, an_entry


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return open_ledger(tmp_path)


def open_ledger(folder: Path) -> SqliteLedger:
    return SqliteLedger(folder / "ledger.db", "production", EnvironmentLock(folder / "lock"))


def test_reading_an_environment_never_written_to_leaves_no_file(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.read()
    ledger.read_history()
    assert list(tmp_path.iterdir()) == []


def count_up(folder: Path, times: int) -> None:
    ledger = open_ledger(folder)
    for _ in range(times):
        while True:
            record = ledger.read()
            try:
                ledger.write(replace(record, epoch=record.epoch + 1))
                break
            except LedgerConflictError:
                continue


def test_writers_in_several_processes_lose_no_update(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=count_up, args=(tmp_path, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert open_ledger(tmp_path).read().epoch == 60


def test_a_ledger_from_a_newer_version_is_left_alone(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.write(ledger.read())
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    for attempt in (ledger.read, lambda: ledger.write(replace(a_begun_record(), revision=1)), ledger.read_history):
        with pytest.raises(LedgerUnreadableError, match="newer switchover"):
            attempt()


@pytest.mark.parametrize("document", ['{"environment": "production", "shadow": true}', '{"revision": "x"}', "{"])
def test_a_document_that_we_would_not_have_written_is_refused(
    ledger: SqliteLedger, tmp_path: Path, document: str
) -> None:
    ledger.write(ledger.read())
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE environment SET document = ?", (document,))
    with pytest.raises(LedgerUnreadableError):
        ledger.read()


def test_a_file_that_is_no_ledger_is_named_and_left_as_it_is(ledger: SqliteLedger, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are not the bytes you are looking for" * 100)
    with pytest.raises(LedgerUnreadableError, match="damaged"):
        ledger.read()
    assert (tmp_path / "ledger.db").read_text().startswith("these are not")


def test_an_empty_file_is_a_lost_ledger_and_no_new_environment(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.write(ledger.read())
    for companion in tmp_path.glob("ledger.db-*"):
        companion.unlink()
    (tmp_path / "ledger.db").write_bytes(b"")
    for attempt in (ledger.read, ledger.read_history, lambda: ledger.append_history(an_entry("1.0.0"))):
        with pytest.raises(LedgerUnreadableError, match="an empty file"):
            attempt()
    assert (tmp_path / "ledger.db").read_bytes() == b""


def test_a_missing_file_is_a_lost_ledger_while_something_should_run(tmp_path: Path) -> None:
    ledger = SqliteLedger(
        tmp_path / "ledger.db", "production", EnvironmentLock(tmp_path / "lock"), lambda: ("shop-blue",)
    )
    with pytest.raises(LedgerUnreadableError, match="shop-blue"):
        ledger.read()


def test_a_ledger_of_another_environment_is_refused_with_both_names(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.write(ledger.read())
    other = SqliteLedger(tmp_path / "ledger.db", "staging", EnvironmentLock(tmp_path / "lock"))
    with pytest.raises(LedgerUnreadableError, match="another environment") as caught:
        other.read()
    assert (caught.value.problem.expected, caught.value.problem.found) == ("staging", "production")


def test_a_killed_first_write_leaves_no_ledger_and_is_cleared_away(ledger: SqliteLedger, tmp_path: Path) -> None:
    (tmp_path / "ledger.db.new").write_bytes(b"half")
    assert ledger.read().revision == 0
    assert ledger.write(ledger.read()).revision == 1
    assert not (tmp_path / "ledger.db.new").exists()


def test_a_missing_table_is_damage_and_no_lack_of_room(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.write(ledger.read())
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("DROP TABLE history")
    with pytest.raises(LedgerUnreadableError, match="no such table") as caught:
        ledger.read_history()
    assert "backup" in caught.value.problem.next_step


@pytest.mark.parametrize(
    ("code", "kind", "next_step"),
    [
        (sqlite3.SQLITE_BUSY, BusyError, "end the program"),
        (sqlite3.SQLITE_FULL, TargetError, "make room"),
        (sqlite3.SQLITE_IOERR_WRITE, TargetError, "make room"),
        (sqlite3.SQLITE_READONLY, TargetError, "correct the rights"),
        (sqlite3.SQLITE_CANTOPEN, TargetError, "correct the rights"),
        (sqlite3.SQLITE_ERROR, LedgerUnreadableError, "backup"),
    ],
)
def test_each_kind_of_trouble_says_what_helps(code: int, kind: type[SwitchoverError], next_step: str) -> None:
    error = sqlite3.OperationalError("trouble")
    error.sqlite_errorcode = code
    explained = explain(error, Path("ledger.db"))
    assert type(explained) is kind
    assert next_step in explained.problem.next_step


def test_a_full_disk_is_one_clear_error_and_the_record_is_what_it_was(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    written = ledger.write(ledger.read())
    context = multiprocessing.get_context("spawn")
    filler = context.Process(target=write_beyond_the_limit, args=(tmp_path,))
    filler.start()
    filler.join()
    assert filler.exitcode == 0
    assert ledger.read() == written


def write_beyond_the_limit(folder: Path) -> None:
    """In a process that may write no file larger than 64 KiB: the disk is full for it."""
    import resource  # noqa: PLC0415 the limit is for this process alone
    import signal  # noqa: PLC0415 as above

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
    ledger = open_ledger(folder)
    record = ledger.read()
    big = replace(an_entry("1.0.0"), strategy="x" * 200_000)
    with pytest.raises(TargetError, match="cannot use the ledger"):
        ledger.append_history(big)
    assert ledger.read() == record
