"""What every ledger promises, the one in memory and the one on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.errors import LedgerConflictError
from switchover.ports import Ledger
from tests.builders import a_begun_record, an_entry
from tests.operations.house import InMemoryLedger


def on_disk(folder: Path) -> Ledger:
    return SqliteLedger(folder / "ledger.db", "production", EnvironmentLock(folder / "lock"))


def in_memory(_folder: Path) -> Ledger:
    return InMemoryLedger()


@pytest.fixture(params=[on_disk, in_memory])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    make: Callable[[Path], Ledger] = request.param
    return make(tmp_path)


def test_an_environment_never_written_to_reads_as_revision_0(ledger: Ledger) -> None:
    record = ledger.read()
    assert (record.environment, record.revision, record.services) == ("production", 0, {})
    assert ledger.read_history() == ()


def test_a_record_comes_back_as_it_was_written(ledger: Ledger) -> None:
    written = ledger.write(replace(a_begun_record(), revision=0))
    assert written.revision == 1
    assert ledger.read() == written


@pytest.mark.parametrize("revision", [0, 1, 3])
def test_a_write_on_another_revision_is_refused_and_changes_nothing(ledger: Ledger, revision: int) -> None:
    second = ledger.write(ledger.write(ledger.read()))
    with pytest.raises(LedgerConflictError):
        ledger.write(replace(second, revision=revision, epoch=99))
    assert ledger.read() == second


def test_history_is_newest_first_and_by_service(ledger: Ledger) -> None:
    ledger.append_history(an_entry("1.0.0", ended_at=1.0))
    ledger.append_history(an_entry("1.1.0", ended_at=2.0))
    ledger.append_history(replace(an_entry("9.0.0", ended_at=3.0), service="cart"))
    assert [entry.to_version for entry in ledger.read_history("shop")] == ["1.1.0", "1.0.0"]
    assert [entry.to_version for entry in ledger.read_history(limit=2)] == ["9.0.0", "1.1.0"]


def test_of_two_that_ended_at_the_same_time_the_later_written_is_the_newer(ledger: Ledger) -> None:
    for version in ("1.0.0", "1.1.0"):
        ledger.append_history(an_entry(version, ended_at=5.0))
    assert [entry.to_version for entry in ledger.read_history()] == ["1.1.0", "1.0.0"]


def test_an_entry_with_a_known_id_replaces_it(ledger: Ledger) -> None:
    entry = an_entry("1.0.0", ended_at=1.0)
    ledger.append_history(entry)
    ledger.append_history(replace(entry, outcome="rolled back"))
    assert [each.outcome for each in ledger.read_history()] == ["rolled back"]
