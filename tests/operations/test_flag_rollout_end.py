"""How a rollout of a flag ends, in memory and in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switchover.errors import FencedError, TargetError, UnhealthyError
from switchover.flags.changes import new_flag, read_percentage, set_percentage
from switchover.flags.memory_store import MemoryStore
from switchover.flags.ports import FlagStore
from switchover.flags.redis_store import RedisStore
from switchover.flags.rollout_trail import FlagRollout
from switchover.flags.snapshot import Change, Note
from switchover.flags.toggling import FlagState, toggling
from switchover.model import Colour, JudgeSettings, Tally
from switchover.operations.flag_changes import change_flag
from switchover.operations.flag_rollout import open_flag_sight, plan_flag_rollout, raise_flag, watch_flag
from switchover.operations.flag_rollout_end import end_flag_rollout, take_run_back
from tests.operations.house import House
from tests.real_parts.redis_server import RedisServer, redis_server

BY_HAND = Note("bob", "a fire", "kill")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> FlagStore:
    """A set with two flags at 10 %."""
    made: FlagStore = MemoryStore()
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        server.admin().flushall()
        made = RedisStore(server.place())
    for key in ("checkout", "other"):
        change_flag(made, key, lambda _: set_percentage(new_flag(), 10), Note("ann", "new", "set"))
    return made


def share(store: FlagStore, key: str = "checkout") -> float | None:
    flag = store.read().flag(key)
    assert isinstance(flag, dict)
    return read_percentage(flag)


def begin(store: FlagStore, key: str = "checkout", run: str = "run-1") -> FlagRollout:
    """A rollout that has made its first step."""
    rollout, _ = plan_flag_rollout(store, key, (25, 100), variant=None, run=run, who="ann", why="all want it")
    raise_flag(store, rollout, 25)
    return rollout


def take_back(store: FlagStore, run: str = "run-1", flag: str | None = None) -> Change | None:
    return take_run_back(store, run, flag=flag, who="switchover", why="its host is gone")


def test_a_run_is_taken_back_by_its_name_alone_and_once(store: FlagStore) -> None:
    before = store.read().parts
    begin(store, "checkout", "run-1")
    begin(store, "other", "run-2")
    change = take_back(store, "run-1")
    assert change is not None
    assert change.note == Note("switchover", "its host is gone [of run run-1]", "rollback")
    assert (share(store), share(store, "other")) == (10, 25)
    assert take_back(store, "run-1") is None
    take_back(store, "run-2")
    assert store.read().parts == before


def test_a_run_that_raised_another_flag_than_the_named_one_is_not_taken_back(store: FlagStore) -> None:
    begin(store)
    assert take_back(store, flag="other") is None
    assert share(store) == 25
    assert take_back(store, flag="checkout") is not None


def test_a_run_that_nobody_knows_takes_nothing_back(store: FlagStore) -> None:
    begin(store)
    assert take_back(store, "run-9") is None
    assert share(store) == 25


def test_what_somebody_made_of_the_flag_by_hand_stays(store: FlagStore) -> None:
    begin(store)
    change_flag(store, "checkout", toggling("checkout", FlagState.KILL, None), BY_HAND)
    assert take_back(store) is None
    assert store.history()[0].note == BY_HAND


def test_a_rollout_that_has_ended_is_not_taken_back_and_the_flag_is_as_it_was(store: FlagStore) -> None:
    rollout = begin(store)
    before = store.read().parts
    end_flag_rollout(store, rollout)
    assert store.history()[0].note == Note("ann", "all want it [of run run-1]", "rolled-out")
    made = store.read().version
    end_flag_rollout(store, rollout)
    assert take_back(store) is None
    assert (store.read().version, store.read().parts) == (made, before)


def test_a_rollout_without_a_step_leaves_no_word_of_its_end(store: FlagStore) -> None:
    rollout, _ = plan_flag_rollout(store, "checkout", (10,), variant=None, run="run-1", who="ann", why="")
    made = store.read().version
    end_flag_rollout(store, rollout)
    assert store.read().version == made


def test_a_rollout_that_was_taken_over_does_not_end_well(store: FlagStore) -> None:
    rollout = begin(store)
    change_flag(store, "checkout", toggling("checkout", FlagState.KILL, None), BY_HAND)
    with pytest.raises(FencedError, match="taken over"):
        end_flag_rollout(store, rollout)
    assert store.history()[0].note == BY_HAND


def test_another_rollout_may_follow_one_that_has_ended(store: FlagStore) -> None:
    end_flag_rollout(store, begin(store))
    later, left = plan_flag_rollout(store, "checkout", (25, 100), variant=None, run="run-2", who="ann", why="")
    assert left == (100,)
    raise_flag(store, later, 100)
    take_back(store, "run-2")
    assert share(store) == 25


def test_a_store_that_is_silent_is_said_and_the_way_back_works_when_it_speaks_again() -> None:
    with redis_server("6.2", "appendonly yes", "appendfsync always") as server:
        store = RedisStore(server.place())
        change_flag(store, "checkout", lambda _: set_percentage(new_flag(), 10), Note("ann", "new", "set"))
        begin(store)
        server.kill()
        with pytest.raises(TargetError):
            take_back(store)
        server.start()
        assert take_back(store) is not None
        assert share(store) == 10


@pytest.mark.parametrize(("errors", "left_at"), [(0, 25), (30, 10)])
def test_a_verdict_decides_about_the_flag_in_its_store(store: FlagStore, errors: int, left_at: float) -> None:
    house = House()
    house.deploy("1.0.0")
    house.clock.on_sleep = lambda _now: house.target.signals.add("shop", Colour.BLUE, Tally(90, errors, 0))
    rollout, _ = plan_flag_rollout(store, "checkout", (25, 100), variant=None, run="run-1", who="ann", why="")
    sight = open_flag_sight(house.ports(), "shop", rollout, None)
    raise_flag(store, rollout, 25)

    def watch() -> None:
        settings = JudgeSettings(no_data_seconds=5)
        watch_flag(house.ports(), store, rollout, sight, hold_seconds=5, settings=settings, report=lambda *_: None)

    if errors:
        with pytest.raises(UnhealthyError, match="over the objective"):
            watch()
    else:
        watch()
    assert share(store) == left_at
