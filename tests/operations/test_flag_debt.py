from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from switchover.adapters.flag_sources import FolderSources
from switchover.errors import InputError
from switchover.flags.changes import new_flag
from switchover.flags.hygiene import FindingKind
from switchover.flags.memory_store import MemoryStore
from switchover.flags.records import Answered, DailyCount
from switchover.flags.snapshot import Json, Note
from switchover.operations.flag_changes import change_flag
from switchover.operations.flag_debt import choose_answer, find_debt, remove_from_code, require_unasked, sum_counts

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ASKS = "client.is_enabled('checkout')\nclient.is_enabled(name)\n"


def a_store() -> MemoryStore:
    store = MemoryStore()
    flag = new_flag(owner="ann", created=date(2026, 1, 1))
    change_flag(store, "checkout", lambda _: flag, Note("ann", "new", "set"))
    return store


def a_folder(folder: Path) -> FolderSources:
    (folder / "app.py").write_text(ASKS)
    (folder / "bad.py").write_text("if client.is_enabled('checkout'\n")
    return FolderSources((folder,))


def test_debt_joins_the_set_its_history_the_code_and_the_counts(tmp_path: Path) -> None:
    report = find_debt(a_store(), a_folder(tmp_path), lambda: NOW, counts={"other": 3})
    assert [each.kind for each in report.findings] == [FindingKind.NEVER_ASKED]
    assert (report.flags, report.files) == (1, 2)
    assert [Path(each.file).name for each in report.unread] == ["bad.py"]
    assert [each.expression for each in report.computed] == ["name"]


def test_without_code_and_counts_only_the_set_speaks() -> None:
    assert find_debt(a_store(), None, lambda: NOW).findings == ()


def test_a_negative_number_of_days_is_refused() -> None:
    with pytest.raises(InputError, match="days from 0"):
        find_debt(a_store(), None, lambda: NOW, stale_days=-1)


def test_nothing_counted_is_not_never_asked() -> None:
    assert sum_counts({}) is None
    days: list[DailyCount] = []
    assert sum_counts({"checkout": days}) == {"checkout": 0}


@pytest.mark.parametrize(
    ("flag", "stated", "answer"),
    [
        ({"variants": {"on": True, "off": False}}, "on", (True, "on")),
        ({"variants": {"big": {"size": 3}}}, "big", ({"size": 3}, "big")),
        (None, "true", (True, None)),
        (None, '{"size": [3]}', ({"size": [3]}, None)),
    ],
)
def test_the_value_is_that_of_a_variant_or_json_when_the_flag_is_gone(
    flag: Json, stated: str, answer: tuple[Json, str | None]
) -> None:
    assert choose_answer(flag, "checkout", stated) == answer


@pytest.mark.parametrize(
    ("flag", "stated"),
    [({"variants": {"on": True}}, "of"), ({}, "on"), (None, "on"), (None, "NaN"), (None, "[" * 100_000)],
)
def test_a_value_that_the_flag_does_not_have_is_refused(flag: Json, stated: str) -> None:
    with pytest.raises(InputError, match="cannot be taken out of the code"):
        choose_answer(flag, "checkout", stated)


def test_a_removal_is_shown_first_and_then_written(tmp_path: Path) -> None:
    sources = a_folder(tmp_path)
    shown = remove_from_code(sources, "checkout", value=True, variant="on", write=False)
    assert not shown.written
    assert "-client.is_enabled('checkout')" in shown.files[0].diff
    assert (tmp_path / "app.py").read_text() == ASKS
    written = remove_from_code(sources, "checkout", value=True, variant="on", write=True)
    assert written.files == shown.files
    assert (tmp_path / "app.py").read_text() == "client.is_enabled(name)\n"
    assert [each.expression for each in written.computed] == ["name"]
    assert [Path(each.file).name for each in written.unread] == ["bad.py"]


def counted(days_ago: int, count: int = 3) -> list[DailyCount]:
    answered = Answered("checkout", "on", None, "STATIC", None)
    return [DailyCount(NOW.date() - timedelta(days=days_ago), answered, count)]


@pytest.mark.parametrize("code", ["client.is_enabled('checkout')", "queue.get_value('checkout')", "client.variant("])
def test_what_asks_for_a_flag_or_may_keeps_it_in_the_set(tmp_path: Path, code: str) -> None:
    (tmp_path / "app.py").write_text(f"{code}\n")
    scan = FolderSources((tmp_path,)).find_references()
    with pytest.raises(InputError, match=r"app\.py"):
        require_unasked(scan, "checkout", (), lambda: NOW)


def test_a_computed_key_keeps_a_flag_in_the_set_while_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("client.is_enabled(name)\n")
    scan = FolderSources((tmp_path,)).find_references()
    assert len(require_unasked(scan, "checkout", counted(1), lambda: NOW)) == 1
    with pytest.raises(InputError, match="by a computed key, and it was asked today"):
        require_unasked(scan, "checkout", counted(0), lambda: NOW)


def test_what_is_asked_today_though_no_code_is_found_is_said(tmp_path: Path) -> None:
    scan = FolderSources((tmp_path,)).find_references()
    assert require_unasked(scan, "checkout", counted(1), lambda: NOW) == ()
    (warning,) = require_unasked(scan, "checkout", counted(0), lambda: NOW)
    assert "asked 3 times today" in warning
