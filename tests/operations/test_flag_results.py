from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from switchover.errors import InputError
from switchover.flags import Context, open_client
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.records import Answered, Batch, DailyCount, Exposure, Occurrence, day_of
from switchover.flags.redis_store import RedisStore
from switchover.flags.results import Verdict
from switchover.flags.snapshot import Edits, Json, Note
from switchover.operations.flag_results import evaluation_counts, read_results
from tests.flags.recording_cases import SPLIT, boolean
from tests.real_parts.redis_server import RedisServer, redis_server

NOTE = Note("anna", "an experiment", "set")


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def place(shared: RedisServer) -> str:
    shared.admin().flushall()
    return shared.place()


def store(place: str, **flags: Json) -> None:
    edits: Edits = {f"flags/{key}": flag for key, flag in flags.items()}
    keeper = RedisStore(place)
    keeper.write(keeper.read(), edits, NOTE)


def enrol(place: str, variant: str, units: int, converted: int, since: int = 0) -> None:
    now = int(time.time() * 1000)
    exposures = [Exposure("checkout", f"{variant}{number}", variant, now) for number in range(since, since + units)]
    events = [
        Occurrence("checkout", f"{variant}{number}", "purchase", None, now)
        for number in range(since, since + converted)
    ]
    RedisRecords(place).write(Batch(f"{variant}{since}", 1, (), (*exposures, *events)))


def test_an_experiment_in_redis_is_judged_against_the_weights_and_the_default_of_its_flag(place: str) -> None:
    store(place, checkout=boolean(SPLIT, experiment=True))
    enrol(place, "on", 1000, 300)
    enrol(place, "off", 1000, 100)
    results = read_results(place, "checkout", "purchase", 0.05)
    assert (results.verdict, results.control) == (Verdict.BETTER, "off")
    assert results.split is not None
    assert results.split.expected == {"on": 0.5, "off": 0.5}
    assert results.events == ("purchase",)
    assert read_results(place, "checkout", "purchase", control="on").verdict is Verdict.WORSE


def test_units_that_are_not_spread_as_the_flag_says_are_a_mismatch(place: str) -> None:
    store(place, checkout=boolean({"fractional": [["on", 10], ["off", 90]]}, experiment=True))
    enrol(place, "on", 1000, 300)
    enrol(place, "off", 1000, 100)
    assert read_results(place, "checkout", "purchase").verdict is Verdict.MISMATCH


def test_only_units_that_came_since_the_weights_are_these_are_judged(place: str) -> None:
    store(place, checkout=boolean({"fractional": [["on", 90], ["off", 10]]}, experiment=True))
    enrol(place, "on", 900, 900)
    enrol(place, "off", 100, 100)
    time.sleep(0.01)
    store(place, checkout=boolean(SPLIT, experiment=True))
    early = read_results(place, "checkout", "purchase")
    assert (early.verdict, sum(variant.units for variant in early.variants)) == (Verdict.NO_DATA, 0)
    enrol(place, "on", 1000, 300, since=1000)
    enrol(place, "off", 1000, 100, since=1000)
    store(place, checkout=boolean({"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on", SPLIT]}, experiment=True))
    results = read_results(place, "checkout", "purchase")
    assert results.verdict is Verdict.BETTER
    assert "left out: 1000 units that were enrolled before the weights were changed" in results.warnings


def test_the_records_of_a_flag_that_was_removed_can_still_be_judged(place: str) -> None:
    enrol(place, "on", 1000, 300)
    enrol(place, "off", 1000, 100)
    results = read_results(place, "checkout", "purchase")
    assert results.verdict is Verdict.BETTER
    assert results.split is None


def test_an_experiment_that_nobody_saw_yet_has_no_data(place: str) -> None:
    store(place, checkout=boolean(SPLIT, experiment=True))
    assert read_results(place, "checkout", "purchase").verdict is Verdict.NO_DATA


def test_a_flag_that_is_none_or_no_experiment_is_the_users_mistake(place: str) -> None:
    store(place, checkout=boolean(SPLIT))
    with pytest.raises(InputError, match="no experiment"):
        read_results(place, "checkout", "purchase")
    with pytest.raises(InputError, match="no flag of that name"):
        read_results(place, "chekout", "purchase")


@pytest.mark.parametrize("place", ["memory:", "file:/tmp/flags.json", "/etc/flags.json", "launchdarkly:"])
def test_a_place_that_keeps_no_records_is_refused_rather_than_called_unused(place: str) -> None:
    with pytest.raises(InputError, match="in Redis"):
        evaluation_counts(place)
    with pytest.raises(InputError, match="in Redis"):
        read_results(place, "checkout", "purchase")


def test_the_counts_say_which_flags_were_asked_when(place: str) -> None:
    assert evaluation_counts(place) == {}
    count = DailyCount(day_of(time.time()), Answered("checkout", "on", None, "STATIC", None), 3)
    RedisRecords(place).write(Batch("one", 1, (count,), ()))
    assert evaluation_counts(place) == {"checkout": [count]}


def test_what_a_client_answers_arrives_in_counts_and_results(place: str) -> None:
    store(place, checkout=boolean(SPLIT, experiment=True), plain=boolean())
    with open_client(place, wait_seconds=30, last_known_good=None) as client:
        for number in range(200):
            context = Context(f"user{number}")
            client.is_enabled("checkout", context)
            client.is_enabled("plain", context)
        client.track("purchase", Context("user7"), 2.0)
        client.track("purchase", Context("stranger"), 2.0)
    asked = {flag: sum(count.count for count in counts) for flag, counts in evaluation_counts(place).items()}
    assert asked == {"checkout": 200, "plain": 200}
    variants = read_results(place, "checkout", "purchase").variants
    assert sum(variant.units for variant in variants) == 200
    assert sum(variant.converted for variant in variants) == 1
