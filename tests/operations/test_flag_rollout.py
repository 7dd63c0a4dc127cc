from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from switchover.errors import BusyError, FencedError, InputError, UnhealthyError
from switchover.flags.changes import kill, new_flag, read_percentage, set_percentage
from switchover.flags.memory_store import MemoryStore
from switchover.flags.records import Batch, ErrorWatch, ExperimentData
from switchover.flags.rollout_trail import FlagRollout
from switchover.flags.snapshot import Change, Json, Note
from switchover.model import Colour, JudgeSettings, Tally
from switchover.operations.flag_changes import change_flag
from switchover.operations.flag_owner import require_still_ours
from switchover.operations.flag_rollout import (
    FlagSight,
    open_flag_sight,
    plan_flag_rollout,
    raise_flag,
    take_flag_back,
    watch_flag,
)
from tests.operations.house import House

BY_HAND = Note("ann", "by hand", "rollout")
JUDGE = JudgeSettings(no_data_seconds=5)


def a_store(percent: float = 10, *, store: MemoryStore | None = None) -> MemoryStore:
    store = store or MemoryStore()
    flag = new_flag()
    change_flag(store, "checkout", lambda _: set_percentage(flag, percent), Note("ann", "new", "set"))
    return store


def share(store: MemoryStore) -> float | None:
    flag = store.read().flag("checkout")
    assert isinstance(flag, dict)
    return read_percentage(flag)


def plan(store: MemoryStore, *steps: float, run: str = "run-1") -> tuple[FlagRollout, tuple[float, ...]]:
    return plan_flag_rollout(
        store, "checkout", steps or (25, 50, 100), variant=None, run=run, who="ann", why="all want it"
    )


def test_steps_that_are_reached_already_are_left_out() -> None:
    rollout, steps = plan(a_store(25))
    assert (rollout.begin_percent, rollout.end_percent, steps) == (25, 100, (50, 100))


@pytest.mark.parametrize("steps", [(50, 25), (0, 10), (10, 101), (10, 10)])
def test_steps_that_do_not_rise_are_refused(steps: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="percentages above 0 that rise"):
        plan(a_store(), *steps)


def test_an_unknown_or_killed_flag_is_refused() -> None:
    store = a_store()
    with pytest.raises(InputError, match="there is no flag other"):
        plan_flag_rollout(store, "other", (50,), variant=None, run="run-1", who="ann", why="")
    change_flag(store, "checkout", kill, BY_HAND)
    with pytest.raises(InputError, match="it is killed"):
        plan(store)


def test_a_step_is_in_the_trail_with_where_the_run_began_and_a_repeated_one_is_not() -> None:
    store = a_store()
    rollout, _ = plan(store)
    raise_flag(store, rollout, 25)
    raise_flag(store, rollout, 25)
    raise_flag(store, rollout, 50)
    notes = [change.note for change in store.history()[:-1]]
    assert notes == [Note("ann", "all want it [run run-1 begins at 10 and ends at 100 %]", "rollout")] * 2
    assert share(store) == 50


def test_a_run_that_is_repeated_goes_on_where_it_was_and_still_knows_where_it_began() -> None:
    store = a_store()
    raise_flag(store, plan(store)[0], 25)
    rollout, steps = plan(store)
    assert (rollout.begin_percent, steps) == (10, (50, 100))


def test_going_back_gives_what_was_before_the_first_step_once() -> None:
    store = a_store()
    before = store.read().flag("checkout")
    rollout, _ = plan(store)
    raise_flag(store, rollout, 25)
    raise_flag(store, rollout, 50)
    change = take_flag_back(store, "checkout", "run-1", who="hook", why="the run crashed")
    assert change is not None
    assert change.note == Note("hook", "the run crashed [of run run-1]", "rollback")
    assert store.read().flag("checkout") == before
    assert take_flag_back(store, "checkout", "run-1", who="hook", why="again") is None


def test_a_run_that_changed_nothing_takes_nothing_back() -> None:
    store = a_store()
    assert take_flag_back(store, "checkout", "run-1", who="hook", why="the run crashed") is None
    assert share(store) == 10


def test_who_changes_the_flag_by_hand_takes_the_rollout_over() -> None:
    store = a_store()
    rollout, _ = plan(store)
    raise_flag(store, rollout, 25)
    change_flag(store, "checkout", kill, BY_HAND)
    with pytest.raises(FencedError, match="taken over"):
        raise_flag(store, rollout, 50)
    assert take_flag_back(store, "checkout", "run-1", who="hook", why="the run failed") is None
    assert store.history()[0].note == BY_HAND


def test_another_run_is_not_taken_back() -> None:
    store = a_store()
    raise_flag(store, plan(store)[0], 25)
    raise_flag(store, plan(store, run="run-2")[0], 50)
    assert take_flag_back(store, "checkout", "run-1", who="hook", why="late") is None
    take_flag_back(store, "checkout", "run-2", who="hook", why="failed")
    assert share(store) == 25


# --- watching ----------------------------------------------------------------------------------------


def a_live_house() -> House:
    house = House()
    house.deploy("1.0.0")
    return house


def serve(house: House, *, errors: int, requests: int = 90) -> None:
    house.clock.on_sleep = lambda _now: house.target.signals.add("shop", Colour.BLUE, Tally(requests, errors, 0))


def begin(house: House, store: MemoryStore, keeper: Errors | None = None) -> tuple[FlagRollout, FlagSight]:
    rollout, _ = plan(store)
    sight = open_flag_sight(house.ports(), "shop", rollout, keeper)
    raise_flag(store, rollout, 50)
    return rollout, sight


def hold(
    house: House, store: MemoryStore, rollout: FlagRollout, sight: FlagSight, keeper: Errors | None = None
) -> None:
    watch_flag(
        house.ports(), store, rollout, sight, hold_seconds=5, settings=JUDGE, report=lambda *_: None, keeper=keeper
    )


class Errors:
    """Port `ExperimentKeeper`: more units with an error at every look. It keeps nothing that could be scanned."""

    def __init__(self, on: int, off: int) -> None:
        self._looks, self._on, self._off = -1, on, off
        self.watches: list[ErrorWatch] = []

    def write(self, batch: Batch) -> None:
        raise AssertionError(batch)

    def read_counts(self) -> dict[str, object]:  # type: ignore[override]
        raise AssertionError

    def read_experiment(self, flag: str, event: str, since: int = 0) -> ExperimentData:
        raise AssertionError(flag, event, since)

    def begin_watch(self, watch: ErrorWatch) -> None:
        self.watches.append(watch)

    def read_watch(self, flag: str, run: str) -> dict[str, int]:
        assert (flag, run) == ("checkout", "run-1")
        self._looks += 1
        return {"on": self._on * self._looks, "off": self._off * self._looks}


class CountingStore(MemoryStore):
    """How many entries of the trail were asked for, by each question."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int | None] = []

    def history(self, limit: int | None = None) -> Sequence[Change]:
        self.asked.append(limit)
        return super().history(limit)


def test_a_look_reads_what_is_new_in_the_trail_however_long_it_is() -> None:
    house, store = a_live_house(), CountingStore()
    a_store(store=store)
    rollout, sight = begin(house, store)
    for number in range(200):
        change_flag(store, f"other-{number}", lambda _: new_flag(), BY_HAND)
    serve(house, errors=0)
    store.asked.clear()
    seen = require_still_ours(store, rollout, None)
    for _ in range(10):
        seen = require_still_ours(store, rollout, seen)
    assert store.asked[-10:] == [1] * 10
    change_flag(store, "other-1", kill, BY_HAND)
    change_flag(store, "other-2", kill, BY_HAND)
    store.asked.clear()
    seen = require_still_ours(store, rollout, seen)
    assert store.asked == [1, 3]
    change_flag(store, "checkout", kill, BY_HAND)
    with pytest.raises(FencedError, match="taken over"):
        require_still_ours(store, rollout, seen)
    with pytest.raises(FencedError, match="taken over"):
        hold(house, store, rollout, sight)


def test_a_set_that_somebody_began_anew_is_looked_at_whole() -> None:
    store = a_store()
    rollout, _ = plan(store)
    raise_flag(store, rollout, 25)
    seen = require_still_ours(store, rollout, None)
    anew = a_store()
    raise_flag(anew, plan(anew)[0], 25)
    change_flag(anew, "checkout", kill, BY_HAND)
    change_flag(anew, "other", lambda _: new_flag(), BY_HAND)
    with pytest.raises(FencedError, match="taken over"):
        require_still_ours(anew, rollout, seen)


def test_the_errors_are_counted_once_from_the_first_step_on() -> None:
    house, store, keeper = a_live_house(), a_store(), Errors(on=0, off=0)
    rollout, sight = begin(house, store, keeper)
    serve(house, errors=0)
    watch = {"hold_seconds": 3, "settings": JUDGE, "report": lambda *_: None, "keeper": keeper}
    sight = watch_flag(house.ports(), store, rollout, sight, **watch)  # type: ignore[arg-type]
    raise_flag(store, rollout, 100)
    assert sight.share == 0.5
    assert watch_flag(house.ports(), store, rollout, sight, **watch).share == 1.0  # type: ignore[arg-type]
    created = int(store.history()[-1].at.timestamp() * 1000)
    assert keeper.watches == [ErrorWatch("checkout", "run-1", "error", "on", created)]


def test_where_companies_draw_the_lots_the_errors_of_their_users_prove_nothing() -> None:
    house, store, keeper = a_live_house(), a_store(), Errors(on=60, off=5)
    by_company: Json = {"fractional": [{"var": "company"}, ["on", 10], ["off", 90]]}
    change_flag(store, "checkout", lambda flag: {**dict(flag), "targeting": by_company}, BY_HAND)  # type: ignore[arg-type]
    rollout, sight = begin(house, store, keeper)
    serve(house, errors=0)
    hold(house, store, rollout, sight, keeper)
    assert share(store) == 50


def test_a_healthy_service_lets_the_flag_stay() -> None:
    house, store = a_live_house(), a_store()
    rollout, sight = begin(house, store)
    serve(house, errors=0)
    hold(house, store, rollout, sight)
    assert share(store) == 50


def test_a_service_over_its_objective_takes_the_flag_back_at_once() -> None:
    house, store = a_live_house(), a_store()
    rollout, sight = begin(house, store)
    serve(house, errors=30)
    with pytest.raises(UnhealthyError, match="over the objective"):
        hold(house, store, rollout, sight)
    assert share(store) == 10
    assert store.history()[0].note.action == "rollback"


def test_a_service_without_traffic_proves_nothing_and_takes_the_flag_back() -> None:
    house, store = a_live_house(), a_store()
    rollout, sight = begin(house, store)
    with pytest.raises(UnhealthyError, match="no canary request"):
        hold(house, store, rollout, sight)
    assert share(store) == 10


def test_a_kill_by_hand_ends_the_watch_and_stays() -> None:
    house, store = a_live_house(), a_store()
    rollout, sight = begin(house, store)
    serve(house, errors=30)
    change_flag(store, "checkout", kill, BY_HAND)
    with pytest.raises(FencedError):
        hold(house, store, rollout, sight)
    assert store.history()[0].note == BY_HAND


def test_a_variant_with_more_errors_than_the_others_takes_the_flag_back() -> None:
    house, store, keeper = a_live_house(), a_store(), Errors(on=60, off=5)
    rollout, sight = begin(house, store, keeper)
    serve(house, errors=0)
    with pytest.raises(UnhealthyError, match="on has more errors than the other variants"):
        hold(house, store, rollout, sight, keeper)
    assert share(store) == 10


def test_variants_with_equal_errors_are_no_reason() -> None:
    house, store, keeper = a_live_house(), a_store(), Errors(on=5, off=5)
    rollout, sight = begin(house, store, keeper)
    serve(house, errors=0)
    hold(house, store, rollout, sight, keeper)
    assert share(store) == 50


def test_nobody_rolls_a_flag_out_where_nothing_is_live_or_while_a_deployment_moves() -> None:
    rollout, _ = plan(a_store())
    with pytest.raises(InputError, match="nobody can watch"):
        open_flag_sight(House().ports(), "shop", rollout, None)
    house = a_live_house()
    record = house.ledger.record
    sight = open_flag_sight(house.ports(), "shop", rollout, None)
    moving = replace(record.services["shop"], rollout=sight.seen)
    house.ledger.record = replace(record, services={"shop": moving})
    with pytest.raises(BusyError, match="in flight"):
        open_flag_sight(house.ports(), "shop", rollout, None)
