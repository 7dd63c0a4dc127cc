"""What every keeper of records promises: the one in memory and the one in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cache

import pytest

from switchover.flags.experiment_store import RedisRecords
from switchover.flags.records import (
    MAX_EVENTS,
    Answered,
    Batch,
    DailyCount,
    ErrorWatch,
    ExperimentKeeper,
    Exposure,
    Occurrence,
    VariantData,
    day_of,
)
from tests.flags.memory_records import MemoryRecords
from tests.real_parts.redis_server import VERSIONS, RedisServer, redis_server

Open = Callable[[int], ExperimentKeeper]
Servers = Callable[[str], RedisServer]
FLAG = "checkout/ünï:*{x}"
TODAY = day_of(time.time())
ON = Answered(FLAG, "on", 0, "TARGETING_MATCH", None)
BROKEN = Answered("broken", None, None, "ERROR", "GENERAL")


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with ExitStack() as held:
        yield cache(lambda version: held.enter_context(redis_server(version)))


def in_redis(server: RedisServer) -> Open:
    server.admin().flushall()
    return lambda units: RedisRecords(server.place(), max_units=units)


def in_memory() -> Open:
    return lambda units: MemoryRecords(max_units=units)


@pytest.fixture(params=["memory", *VERSIONS])
def opened(request: pytest.FixtureRequest, servers: Servers) -> Open:
    return in_memory() if request.param == "memory" else in_redis(servers(request.param))


@pytest.fixture
def keeper(opened: Open) -> ExperimentKeeper:
    return opened(1000)


def exposure(unit: str, variant: str, at: int = 100) -> Exposure:
    return Exposure(FLAG, unit, variant, at)


def event(unit: str, name: str = "purchase", value: float | None = None, at: int = 200) -> Occurrence:
    return Occurrence(FLAG, unit, name, value, at)


def batch(sequence: int, *records: Exposure | Occurrence, instance: str = "one") -> Batch:
    return Batch(instance, sequence, (), records)


def test_an_untouched_keeper_has_nothing(keeper: ExperimentKeeper) -> None:
    assert keeper.read_counts() == {}
    data = keeper.read_experiment(FLAG, "purchase")
    assert (data.flag, data.event, data.variants, data.events) == (FLAG, "purchase", {}, ())


def test_answers_are_added_up_by_day_oldest_first(keeper: ExperimentKeeper) -> None:
    yesterday = TODAY - timedelta(days=1)
    keeper.write(Batch("one", 1, (DailyCount(TODAY, ON, 2), DailyCount(TODAY, BROKEN, 1)), ()))
    keeper.write(Batch("two", 1, (DailyCount(yesterday, ON, 5), DailyCount(TODAY, ON, 3)), ()))
    assert keeper.read_counts() == {
        FLAG: [DailyCount(yesterday, ON, 5), DailyCount(TODAY, ON, 5)],
        "broken": [DailyCount(TODAY, BROKEN, 1)],
    }


def test_answers_of_each_rule_variant_and_error_are_apart(keeper: ExperimentKeeper) -> None:
    kinds = [Answered("f", variant, rule, "TARGETING_MATCH", None) for variant in ("a", "b", None) for rule in (0, 1)]
    keeper.write(Batch("one", 1, tuple(DailyCount(TODAY, kind, n) for n, kind in enumerate(kinds, 1)), ()))
    assert {count.answered: count.count for count in keeper.read_counts()["f"]} == {
        kind: n for n, kind in enumerate(kinds, 1)
    }


def test_a_batch_that_is_sent_again_changes_nothing(keeper: ExperimentKeeper) -> None:
    first = Batch("one", 1, (DailyCount(TODAY, ON, 2),), (exposure("u", "a"), event("u", value=3.0)))
    keeper.write(first)
    keeper.write(first)
    assert keeper.read_counts() == {FLAG: [DailyCount(TODAY, ON, 2)]}
    assert keeper.read_experiment(FLAG, "purchase").variants == {"a": VariantData(1, 1, 3.0, 9.0)}


def test_a_unit_converts_once_and_its_values_add_up(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a"), exposure("v", "a"), exposure("w", "b")))
    keeper.write(batch(2, event("u", value=2.5), event("u", value=0.25), event("v", value=1.0)))
    data = keeper.read_experiment(FLAG, "purchase")
    assert data.variants == {"a": VariantData(2, 2, 3.75, 2.75**2 + 1.0), "b": VariantData(1, 0, 0.0, 0.0)}
    assert data.valued
    assert data.events == ("purchase",)


def test_events_without_a_value_have_none(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a"), event("u")))
    data = keeper.read_experiment(FLAG, "purchase")
    assert data.variants == {"a": VariantData(1, 1, 0.0, 0.0)}
    assert not data.valued


def test_events_of_one_kind_say_nothing_of_another(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a"), event("u", "purchase"), event("u", "return:*/ü")))
    assert keeper.read_experiment(FLAG, "visit").variants == {"a": VariantData(1, 0, 0.0, 0.0)}
    assert keeper.read_experiment(FLAG, "return:*/ü").variants == {"a": VariantData(1, 1, 0.0, 0.0)}
    assert keeper.read_experiment(FLAG, "visit").events == ("purchase", "return:*/ü")


def test_an_event_before_the_exposure_does_not_count_and_is_reported(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a", at=100), event("u", at=99), event("u", at=100)))
    assert keeper.read_experiment(FLAG, "purchase").early == 1
    assert keeper.read_experiment(FLAG, "purchase").variants["a"].converted == 1


def test_an_event_of_a_stranger_leaves_no_trace(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, event("nobody"), exposure("u", "a")))
    data = keeper.read_experiment(FLAG, "purchase")
    assert (data.variants, data.events) == ({"a": VariantData(1, 0, 0.0, 0.0)}, ())


def test_the_earliest_exposure_counts_whichever_process_is_first_to_report_it(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a", at=300)))
    keeper.write(batch(1, exposure("u", "a", at=100), event("u", at=200), instance="two"))
    assert keeper.read_experiment(FLAG, "purchase").variants["a"].converted == 1
    assert keeper.read_experiment(FLAG, "purchase").early == 0


def test_a_unit_with_two_variants_is_left_out_and_counted_once(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a"), exposure("v", "a"), exposure("u", "b"), exposure("u", "a"), event("u")))
    data = keeper.read_experiment(FLAG, "purchase")
    assert (data.variants, data.reassigned) == ({"a": VariantData(1, 0, 0.0, 0.0)}, 1)


def test_enrolment_stops_at_the_limit_and_says_so(opened: Open) -> None:
    keeper = opened(3)
    keeper.write(batch(1, *(exposure(str(unit), "a") for unit in range(5)), exposure("0", "a"), event("4")))
    data = keeper.read_experiment(FLAG, "purchase")
    assert (data.variants["a"].units, data.variants["a"].converted, data.refused) == (3, 0, 2)


def test_an_application_that_makes_up_event_names_is_bounded(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "a"), *(event("u", f"purchase-{n}") for n in range(MAX_EVENTS + 5))))
    data = keeper.read_experiment(FLAG, "purchase")
    assert (len(data.events), data.unkept) == (MAX_EVENTS, 5)


def test_names_of_any_characters_come_back(keeper: ExperimentKeeper) -> None:
    odd = "a|b \n\ud800 \x00 ü"
    strange = Answered(odd, odd, None, "STATIC", None)
    exposed = Exposure(odd, "u", odd, 1)
    keeper.write(Batch("one", 1, (DailyCount(TODAY, strange, 1),), (exposed, Occurrence(odd, "u", odd, -0.5, 1))))
    data = keeper.read_experiment(odd, odd)
    assert (data.variants, data.events) == ({odd: VariantData(1, 1, -0.5, 0.25)}, (odd,))
    assert keeper.read_counts() == {odd: [DailyCount(TODAY, strange, 1)]}


def test_days_of_a_clock_that_is_mad_are_no_trouble(keeper: ExperimentKeeper) -> None:
    keeper.write(Batch("one", 1, (DailyCount(date(1970, 1, 1), ON, 1), DailyCount(date(2969, 1, 1), ON, 1)), ()))
    keeper.write(Batch("one", 2, (DailyCount(TODAY, ON, 1),), (exposure("u", "a", at=-5), event("u", at=-1))))
    assert DailyCount(TODAY, ON, 1) in keeper.read_counts()[FLAG]


def test_units_that_were_enrolled_before_the_asked_time_are_left_out_and_counted(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("old", "a", at=99), exposure("new", "a", at=100), exposure("moved", "a", at=10)))
    keeper.write(batch(2, exposure("moved", "b", at=150), event("old"), event("new")))
    data = keeper.read_experiment(FLAG, "purchase", 100)
    assert (data.variants, data.older, data.reassigned) == ({"a": VariantData(1, 1)}, 1, 1)
    assert keeper.read_experiment(FLAG, "purchase").variants == {"a": VariantData(2, 2)}


# --- watching the errors of a rollout ------------------------------------------------------------------


def watching(keeper: ExperimentKeeper, trusted_since: int = 0, run: str = "run") -> ExperimentKeeper:
    keeper.begin_watch(ErrorWatch(FLAG, run, "error", "on|ü", trusted_since))
    return keeper


def error(unit: str, at: int = 200) -> Occurrence:
    return event(unit, "error", at=at)


def test_each_unit_counts_once_by_the_variant_that_it_was_given_last(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "on|ü"), exposure("v", "off"), exposure("w", "off"), error("w")))
    assert keeper.read_watch(FLAG, "run") == {}
    watching(keeper)
    keeper.write(batch(2, error("u"), error("u"), error("w"), error("stranger"), event("v")))
    assert keeper.read_watch(FLAG, "run") == {"on|ü": 1, "off": 1}
    keeper.write(batch(3, exposure("v", "on|ü", at=150), exposure("w", "on|ü", at=150), error("v"), error("w")))
    assert keeper.read_watch(FLAG, "run") == {"on|ü": 2, "off": 1}


def test_an_error_before_the_variant_was_given_is_not_its_own(keeper: ExperimentKeeper) -> None:
    watching(keeper).write(batch(1, exposure("u", "off"), exposure("u", "on|ü", at=300), error("u", at=299)))
    assert keeper.read_watch(FLAG, "run") == {}
    keeper.write(batch(2, exposure("u", "off", at=200), error("u", at=300)))
    assert keeper.read_watch(FLAG, "run") == {"on|ü": 1}


def test_who_was_given_the_watched_variant_too_long_ago_is_not_counted(keeper: ExperimentKeeper) -> None:
    keeper.write(batch(1, exposure("u", "on|ü", at=99), exposure("v", "on|ü", at=100), exposure("w", "off", at=1)))
    watching(keeper, 100).write(batch(2, error("u"), error("v"), error("w")))
    assert keeper.read_watch(FLAG, "run") == {"on|ü": 1, "off": 1}


def test_a_watch_that_begins_anew_counts_from_nothing_and_another_run_sees_none(keeper: ExperimentKeeper) -> None:
    watching(keeper).write(batch(1, exposure("u", "on|ü"), error("u")))
    assert keeper.read_watch(FLAG, "run") == {"on|ü": 1}
    watching(keeper, run="ünother")
    assert (keeper.read_watch(FLAG, "run"), keeper.read_watch(FLAG, "ünother")) == ({}, {})
    keeper.write(batch(2, error("u")))
    assert keeper.read_watch(FLAG, "ünother") == {"on|ü": 1}
