"""What every ledger promises: the one in memory, the one on disk and the one in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.kube_ledger import KubeLedger
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.errors import LedgerConflictError
from switchover.ports import Ledger
from tests.builders import a_begun_record, an_entry
from tests.kube_fixtures import cluster_api, emulated_api
from tests.operations.house import InMemoryLedger


@contextmanager
def on_disk(folder: Path) -> Iterator[Ledger]:
    yield SqliteLedger(folder / "ledger.db", "production", EnvironmentLock(folder / "lock"))


@contextmanager
def in_memory(_folder: Path) -> Iterator[Ledger]:
    yield InMemoryLedger()


@contextmanager
def on_emulator(_folder: Path) -> Iterator[Ledger]:
    with emulated_api() as api:
        yield KubeLedger(api, "production")


@contextmanager
def on_cluster(_folder: Path) -> Iterator[Ledger]:
    with cluster_api() as api:
        yield KubeLedger(api, "production")


@pytest.fixture(params=[on_disk, in_memory, on_emulator, pytest.param(on_cluster, marks=pytest.mark.cluster)])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    opened: Callable[[Path], AbstractContextManager[Ledger]] = request.param
    with opened(tmp_path) as ledger:
        yield ledger


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
