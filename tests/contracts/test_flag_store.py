"""What every store of flags promises: the one in memory, the one in a file and the one in Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from switchover.errors import InputError, LedgerConflictError
from switchover.flags.file_store import FileStore
from switchover.flags.memory_store import MemoryStore
from switchover.flags.ports import FlagStore
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Json, Note, Snapshot
from tests.real_parts.redis_server import redis_server

NOTE = Note("ada", "the launch", "set")
FLAG: Json = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}

Open = Callable[[], FlagStore]


@contextmanager
def in_memory(_folder: Path) -> Iterator[Open]:
    store = MemoryStore()
    yield lambda: store


@contextmanager
def in_a_file(folder: Path) -> Iterator[Open]:
    yield lambda: FileStore(folder / "flags.json")


@contextmanager
def in_redis(_folder: Path) -> Iterator[Open]:
    with redis_server() as server:
        yield lambda: RedisStore(server.place())


@pytest.fixture(params=[in_memory, in_a_file, in_redis])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same place again, as another process would."""
    opened: Callable[[Path], AbstractContextManager[Open]] = request.param
    with opened(tmp_path) as open_store:
        yield open_store


@pytest.fixture
def store(open_again: Open) -> FlagStore:
    return open_again()


def test_where_nothing_was_stored_the_set_is_empty_and_of_version_0(store: FlagStore) -> None:
    assert store.read() == Snapshot()
    assert list(store.history()) == []
    assert list(store.acknowledgements()) == []


def test_what_is_written_is_read_by_another(store: FlagStore, open_again: Open) -> None:
    change = store.write(Snapshot(), {"flags/a": FLAG, "metadata/team": "shop", "$evaluators/e": {"==": [1, 1]}}, NOTE)
    found = open_again().read()
    assert (change.version, found.version) == (1, 1)
    assert found.lineage
    assert dict(found.parts) == {"flags/a": FLAG, "metadata/team": "shop", "$evaluators/e": {"==": [1, 1]}}


def test_versions_count_the_changes_and_the_lineage_stays(store: FlagStore) -> None:
    store.write(Snapshot(), {"flags/a": FLAG}, NOTE)
    first = store.read()
    assert store.write(first, {"flags/b": FLAG}, NOTE).version == 2
    second = store.read()
    assert (second.version, second.lineage) == (2, first.lineage)
    assert second.parts.keys() == {"flags/a", "flags/b"}


def test_a_change_to_null_removes_a_part(store: FlagStore) -> None:
    store.write(Snapshot(), {"flags/a": FLAG, "flags/b": FLAG}, NOTE)
    store.write(store.read(), {"flags/a": None}, NOTE)
    assert store.read().parts.keys() == {"flags/b"}


def test_a_lost_update_is_refused_and_changes_nothing(store: FlagStore, open_again: Open) -> None:
    store.write(Snapshot(), {"flags/a": FLAG}, NOTE)
    old = open_again().read()
    store.write(store.read(), {"flags/b": FLAG}, NOTE)
    with pytest.raises(LedgerConflictError) as refused:
        open_again().write(old, {"flags/c": FLAG}, NOTE)
    assert "read it again" in refused.value.problem.next_step
    assert store.read().parts.keys() == {"flags/a", "flags/b"}
    assert len(store.history()) == 2


def test_the_first_set_is_made_once(store: FlagStore, open_again: Open) -> None:
    store.write(Snapshot(), {"flags/a": FLAG}, NOTE)
    with pytest.raises(LedgerConflictError):
        open_again().write(Snapshot(), {"flags/a": None}, NOTE)


def test_a_version_of_another_lineage_is_no_version_of_this_one(store: FlagStore) -> None:
    store.write(Snapshot(), {"flags/a": FLAG}, NOTE)
    found = store.read()
    with pytest.raises(LedgerConflictError):
        store.write(Snapshot(found.version, "elsewhere", found.parts), {"flags/b": FLAG}, NOTE)


def test_the_trail_says_who_and_why_and_what_was_there_before(store: FlagStore, open_again: Open) -> None:
    store.write(Snapshot(), {"flags/a": FLAG}, NOTE)
    off = {**FLAG, "defaultVariant": "off"} if isinstance(FLAG, dict) else None
    made = store.write(store.read(), {"flags/a": off, "flags/b": FLAG}, Note("bob", "a fire\nin ümläut", "kill"))
    newest, oldest = open_again().history()
    assert newest == made
    assert (newest.version, newest.note) == (2, Note("bob", "a fire\nin ümläut", "kill"))
    assert dict(newest.edits) == {"flags/a": off, "flags/b": FLAG}
    assert dict(newest.before) == {"flags/a": FLAG, "flags/b": None}
    assert (oldest.version, oldest.note) == (1, NOTE)
    assert timedelta(0) <= datetime.now(UTC) - newest.at < timedelta(minutes=10)


def test_the_trail_is_cut_where_it_is_asked_to(store: FlagStore) -> None:
    for number in range(4):
        store.write(store.read(), {f"flags/f{number}": FLAG}, NOTE)
    assert [change.version for change in store.history(2)] == [4, 3]
    assert list(store.history(0)) == []


def test_what_was_before_undoes_a_change(store: FlagStore) -> None:
    store.write(Snapshot(), {"flags/a": FLAG, "flags/b": 1}, NOTE)
    before = store.read()
    change = store.write(before, {"flags/a": None, "flags/b": 2, "flags/c": 3}, NOTE)
    store.write(store.read(), change.before, Note("ada", "oops", "undo"))
    assert dict(store.read().parts) == dict(before.parts)


@pytest.mark.parametrize(
    "key", ["a/b", "ä", "🚩", "with space", 'quo"te', "nul\0", "line\nbreak", "null", "$ref", "x" * 500]
)
def test_keys_may_be_odd(store: FlagStore, key: str) -> None:
    store.write(Snapshot(), {f"flags/{key}": FLAG}, NOTE)
    assert store.read().flag(key) == FLAG
    assert store.read().document() == {"flags": {key: FLAG}}


def test_all_of_json_comes_back_as_it_was(store: FlagStore) -> None:
    value: Json = {
        "n": [0, -1, 1.5, 1e300, 2**53 + 1, True, False, None],
        "t": ["", "ä🚩\u2028", "\x00"],
        "o": {"": {}},
    }
    store.write(Snapshot(), {"flags/a": value}, NOTE)
    found = store.read().flag("a")
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("part", "value"),
    [("a", 1), ("flags/", 1), ("flagz/a", 1), ("flags/a", float("nan")), ("flags/a", {1, 2}), ("flags/a", "\ud800")],
)
def test_what_is_no_part_or_no_json_is_refused(store: FlagStore, part: str, value: Json) -> None:
    with pytest.raises(InputError):
        store.write(Snapshot(), {"flags/good": FLAG, part: value}, NOTE)
    assert store.read() == Snapshot()


def test_a_change_of_the_callers_own_objects_does_not_reach_the_set(store: FlagStore) -> None:
    flag: dict[str, Json] = {"variants": {"on": True}}
    store.write(Snapshot(), {"flags/a": flag}, NOTE)
    flag["variants"] = {}
    assert store.read().flag("a") == {"variants": {"on": True}}


def test_a_large_set_is_kept(store: FlagStore) -> None:
    edits: dict[str, Json] = {f"flags/f{number}": {**_flag(), "metadata": {"t": "x" * 900}} for number in range(4000)}
    store.write(Snapshot(), edits, NOTE)
    assert len(store.read().parts) == 4000
    store.write(store.read(), {"flags/f7": None}, NOTE)
    assert len(store.read().parts) == 3999


def test_writers_at_once_lose_nothing(store: FlagStore, open_again: Open) -> None:
    conflicts = []

    def write(name: int) -> None:
        mine = open_again()
        for number in range(5):
            while True:
                try:
                    mine.write(mine.read(), {f"flags/{name}-{number}": FLAG}, NOTE)
                except LedgerConflictError as error:
                    conflicts.append(error)
                else:
                    break

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read().version == 20
    assert len(store.read().parts) == 20
    assert [change.version for change in store.history()] == list(range(20, 0, -1))


def _flag() -> dict[str, Json]:
    return dict(FLAG) if isinstance(FLAG, dict) else {}
