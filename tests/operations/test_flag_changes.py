"""Changing a flag set: nothing is lost between two writers, nothing broken is stored, everything can be taken back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import InputError, LedgerConflictError
from switchover.flags.memory_store import MemoryStore
from switchover.flags.snapshot import Acknowledgement, Acknowledgements, Change, Edits, Json, Note, Snapshot
from switchover.operations.flag_changes import (
    change_flag,
    change_set,
    count_edits,
    keeping_all,
    of_document,
    of_flag,
    plan_change,
)
from switchover.operations.flag_history import going_back_to, plan_restore, plan_undo, refuse_lost_set, taking_back

NOTE = Note("ann@example.com", "a test", "set")


def a_flag(default: str = "off", **metadata: Json) -> dict[str, Json]:
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        **({"metadata": dict(metadata)} if metadata else {}),
    }


def owned_by(name: str) -> Json:
    return a_flag(**{"switchover.owner": name})


def add(name: str, store: MemoryStore, default: str = "off") -> Change:
    return change_flag(store, name, lambda _: a_flag(default), NOTE)


def test_a_change_becomes_the_next_version_with_who_and_why() -> None:
    store = MemoryStore()
    made = add("checkout", store)
    assert (made.version, made.note, made.before) == (1, NOTE, {"flags/checkout": None})
    assert store.read().flag("checkout") == a_flag()


def test_what_is_so_already_is_not_written_again() -> None:
    store = MemoryStore()
    add("checkout", store)
    again = add("checkout", store)
    assert (again.version, dict(again.edits)) == (1, {})
    assert len(store.history()) == 1


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({**a_flag(), "targeting": {"if": [{"starts_wit": [{"var": "email"}, "a"]}, "on"]}}, "targeting/if/0"),
        ({**a_flag(), "defaultVariant": "of"}, "flags/checkout/defaultVariant"),
        (a_flag(**{"switchover.prerequisites": '{"absent": "on"}'}), "flags/checkout/metadata"),
    ],
)
def test_a_broken_flag_is_refused_with_the_path_and_nothing_is_written(broken: Json, path: str) -> None:
    store = MemoryStore()
    with pytest.raises(InputError) as caught:
        change_flag(store, "checkout", lambda _: broken, NOTE)
    assert path in str(caught.value)
    assert store.read() == Snapshot()


def test_a_flag_that_was_broken_before_does_not_stand_in_the_way_of_another() -> None:
    store = MemoryStore(Snapshot(7, "a", {"flags/broken": {"state": "ENABLED", "variants": 1}, "flags/ok": a_flag()}))
    assert change_flag(store, "ok", lambda _: a_flag("on"), NOTE).version == 8


def test_removing_a_flag_that_another_one_asks_for_is_refused() -> None:
    store = MemoryStore()
    add("base", store)
    change_flag(store, "top", lambda _: a_flag(**{"switchover.prerequisites": '{"base": "on"}'}), NOTE)
    with pytest.raises(InputError, match="flags/top"):
        change_set(store, lambda _: {"flags/base": None}, NOTE)


def test_two_writers_at_once_lose_nothing() -> None:
    store = MemoryStore()
    change_flag(store, "checkout", lambda _: a_flag(turns=0), NOTE)
    start = threading.Barrier(4)

    def one_more(flag: Json) -> Json:
        assert isinstance(flag, dict)
        metadata = flag["metadata"]
        assert isinstance(metadata, dict)
        turns = metadata["turns"]
        assert isinstance(turns, int)
        return {**flag, "metadata": {"turns": turns + 1}}

    def write() -> None:
        start.wait()
        for _ in range(20):
            change_flag(store, "checkout", one_more, NOTE)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.read().flag("checkout") == a_flag(turns=80)
    assert store.read().version == 81


@dataclass
class Overtaken(MemoryStore):
    """Somebody else is faster, `times` times, with another flag."""

    times: int = 1
    lost: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__init__()

    def write(self, expected: Snapshot, edits: Edits, note: Note) -> Change:
        if self.lost < self.times:
            self.lost += 1
            super().write(self.read(), {f"flags/other-{self.lost}": a_flag()}, note)
        return super().write(expected, edits, note)


def test_who_lost_the_race_decides_again_on_the_newer_set() -> None:
    store = Overtaken(times=3)
    assert change_flag(store, "checkout", lambda _: a_flag(), NOTE).version == 4
    assert {*store.read().parts} == {"flags/checkout", "flags/other-1", "flags/other-2", "flags/other-3"}


def test_a_store_that_always_has_somebody_faster_is_given_up() -> None:
    with pytest.raises(LedgerConflictError, match="was not written"):
        change_flag(Overtaken(times=10_000), "checkout", lambda _: a_flag(), NOTE)


def test_who_named_a_version_is_refused_when_it_has_passed() -> None:
    store = Overtaken(times=1)
    with pytest.raises(LedgerConflictError) as caught:
        change_flag(store, "checkout", lambda _: a_flag(), NOTE, version=0)
    assert "version 1" in caught.value.problem.found
    assert store.read().flag("checkout") is None


def test_a_document_replaces_the_set_or_is_laid_over_it() -> None:
    store = MemoryStore()
    add("old", store)
    document: dict[str, Json] = {"flags/new": a_flag(), "metadata/team": "shop"}
    laid_over = plan_change(store.read(), of_document(document, keep_others=True))
    assert set(laid_over.edits) == {"flags/new", "metadata/team"}
    change_set(store, of_document(document), NOTE)
    assert store.read().parts == document


def test_a_document_that_would_remove_something_is_refused_and_one_that_would_not_is_written() -> None:
    before = Snapshot(1, "x", {f"flags/f{number}": a_flag() for number in range(7)})
    smaller = {"flags/f0": a_flag("on"), "flags/new": a_flag()}
    with pytest.raises(InputError) as refused:
        plan_change(before, keeping_all(smaller))
    assert refused.value.problem.found == "6 not named: f1, f2, f3, f4, f5 and 1 more"
    plan = plan_change(before, keeping_all({**before.parts, **smaller}))
    assert count_edits(plan.before, plan.edits) == {"made": 1, "edited": 1, "removed": 0}
    assert plan_change(Snapshot(), keeping_all(smaller)).edits == smaller


def test_a_plan_knows_what_was_before() -> None:
    store = MemoryStore()
    add("checkout", store)
    plan = plan_change(store.read(), of_flag("checkout", lambda _: a_flag("on")))
    assert plan.before == {"flags/checkout": a_flag()}
    assert store.read().version == 1


def test_restoring_a_version_brings_back_every_part_of_it() -> None:
    store = MemoryStore()
    add("checkout", store)
    add("search", store)
    wanted = store.read()
    change_set(store, lambda _: {"flags/search": None, "flags/checkout": a_flag("on"), "flags/new": a_flag()}, NOTE)
    add("another", store)
    made = change_set(store, going_back_to(store, 2), NOTE)
    assert made.version == 5
    assert store.read().parts == wanted.parts


_CHANGES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "ann", "bob"]), min_size=1), max_size=8
)


@given(_CHANGES)
def test_every_version_can_be_restored_whatever_came_after(changes: list[dict[str, str | None]]) -> None:
    store = MemoryStore()
    kept = {0: store.read().parts}
    for change in changes:
        edits = {f"flags/{key}": None if owner is None else owned_by(owner) for key, owner in change.items()}
        made = change_set(store, lambda _, edits=edits: edits, NOTE)  # type: ignore[misc]
        kept[made.version] = store.read().parts
    for version, parts in kept.items():
        edits = plan_restore(store.read(), store.history(), version)
        assert store.read().after(99, edits).parts == parts


def test_a_version_beyond_the_trail_is_refused_with_what_is_missing() -> None:
    store = MemoryStore()
    for default in ("off", "on", "off", "on"):
        add("checkout", store, default)
    short = store.history(2)
    assert plan_restore(store.read(), short, 2) == {"flags/checkout": a_flag("on")}
    with pytest.raises(InputError) as caught:
        plan_restore(store.read(), short, 1)
    assert "no entry of version 2" in caught.value.problem.found
    with pytest.raises(InputError, match="version 2 cannot be taken back"):
        plan_undo(store.read(), short, 2)


@pytest.mark.parametrize("version", [-1, 2, 99])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    store = MemoryStore()
    add("checkout", store)
    with pytest.raises(InputError, match="there is no version"):
        plan_restore(store.read(), store.history(), version)
    with pytest.raises(InputError, match="there is no version"):
        plan_undo(store.read(), store.history(), version)


def test_one_change_is_taken_back_and_later_ones_stay() -> None:
    store = MemoryStore()
    add("checkout", store)
    add("checkout", store, "on")
    add("search", store)
    made = change_set(store, taking_back(store, 2), NOTE)
    assert made.version == 4
    assert store.read().flag("checkout") == a_flag()
    assert store.read().flag("search") == a_flag()


def test_a_change_under_a_later_one_is_not_taken_back_alone() -> None:
    store = MemoryStore()
    add("checkout", store)
    add("checkout", store, "on")
    with pytest.raises(LedgerConflictError) as caught:
        change_set(store, taking_back(store, 1), NOTE)
    assert "checkout" in caught.value.problem.found
    assert "restore --version 0" in caught.value.problem.next_step


def test_the_time_of_a_change_that_changed_nothing_is_now() -> None:
    store = MemoryStore()
    add("checkout", store)
    assert abs((datetime.now(UTC) - add("checkout", store).at).total_seconds()) < 60


def test_a_change_beyond_the_trail_says_that_it_cannot_be_taken_back() -> None:
    with pytest.raises(InputError) as caught:
        plan_undo(Snapshot(3, "a"), [], 2)
    assert caught.value.problem.failed == "version 2 cannot be taken back"
    assert "no entry of version 2" in caught.value.problem.found
    assert "restore" not in caught.value.problem.next_step


class Lost(MemoryStore):
    """A place whose set is gone, but not the processes that serve it."""

    def acknowledgements(self) -> Acknowledgements:
        return Acknowledgements(processes=(Acknowledgement("shop-1", "host-1", 1, 7, "a", 0.1),))


def test_a_new_set_is_not_begun_where_one_was_lost() -> None:
    refuse_lost_set(MemoryStore())
    with pytest.raises(InputError, match="serve its version 7"):
        refuse_lost_set(Lost())
    store = MemoryStore()
    add("checkout", store)
    with pytest.raises(InputError, match="its audit trail"):
        refuse_lost_set(store)
