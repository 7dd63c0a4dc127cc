from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.counting import AnswerCounts
from switchover.flags.exposures import MAX_EVENT_NAME, ExposureRecorder
from switchover.flags.flag_set import FlagSet
from switchover.flags.ports import Listener
from switchover.flags.recent import Recent
from switchover.flags.records import unit_of
from tests.flags.memory_records import MemoryRecords
from tests.flags.recording_cases import SPLIT, Clock, Outage, boolean, compiled, snapshot


def ask(
    flag_set: FlagSet, key: str, context: Context, recorder: ExposureRecorder | None = None, times: int = 1
) -> None:
    """What a client does for each question."""
    for _ in range(times):
        resolution = flag_set.answers[key](context)
        resolution.count()
        if recorder is not None and resolution.experiment:
            recorder.exposed(resolution, context)


def totals(counts: Counter[object] | dict[object, int]) -> dict[tuple[str, str | None], int]:
    found: Counter[tuple[str, str | None]] = Counter()
    for answered, count in counts.items():
        found[answered.flag, answered.variant] += count  # type: ignore[attr-defined]
    return dict(found)


def kept(recorder_of: MemoryRecords) -> dict[str, int]:
    return {flag: sum(one.count for one in counts) for flag, counts in recorder_of.read_counts().items()}


ANNA = Context("anna")


# Counting.


def test_answers_are_counted_exactly_and_a_reading_is_no_answer() -> None:
    counts, flags = AnswerCounts(), compiled(plain=boolean(), other=boolean())
    counts.swap(flags)
    assert counts.read() == {}
    ask(flags, "plain", ANNA, times=7)
    assert totals(counts.read()) == {("plain", "off"): 7}
    assert counts.read() == {}
    ask(flags, "plain", ANNA, times=2)
    ask(flags, "other", ANNA)
    assert totals(counts.read()) == {("plain", "off"): 2, ("other", "off"): 1}


def test_a_flag_that_goes_on_in_the_next_set_is_counted_once() -> None:
    counts, first = AnswerCounts(), compiled(1, same=boolean(), changed=boolean())
    counts.swap(first)
    ask(first, "same", ANNA, times=3)
    second = compiled(2, before=first, same=boolean(), changed=boolean({"fractional": [["on", 1]]}))
    assert second.compiled["same"] is first.compiled["same"]
    counts.swap(second)
    ask(second, "same", ANNA, times=4)
    assert totals(counts.read()) == {("same", "off"): 7}


def test_a_replaced_set_is_read_until_late_answers_are_in_and_then_let_go() -> None:
    counts, first = AnswerCounts(), compiled(1, old=boolean())
    counts.swap(first)
    ask(first, "old", ANNA, times=3)
    counts.swap(compiled(2))
    assert totals(counts.read()) == {("old", "off"): 3}
    ask(first, "old", ANNA)
    assert totals(counts.read()) == {("old", "off"): 1}
    assert not counts._retired


def test_a_set_that_comes_back_is_not_counted_twice() -> None:
    counts, first = AnswerCounts(), compiled(1, flag=boolean())
    counts.swap(first)
    ask(first, "flag", ANNA, times=5)
    counts.swap(compiled(2))
    assert totals(counts.read()) == {("flag", "off"): 5}
    counts.swap(first)
    ask(first, "flag", ANNA)
    assert totals(counts.read()) == {("flag", "off"): 1}


def test_many_swaps_between_two_readings_lose_no_answer_and_keep_few_resolutions() -> None:
    counts = AnswerCounts()
    for version in range(300):
        flags = compiled(version, **{f"flag{n}": boolean({"if": [True, "on"]}) for n in range(100)})
        counts.swap(flags)
        ask(flags, "flag0", ANNA)
    assert len(counts._retired) <= 20_000
    assert sum(counts.read().values()) == 300


def test_threads_that_answer_during_readings_lose_no_count() -> None:
    counts, flags = AnswerCounts(), compiled(flag=boolean())
    counts.swap(flags)
    threads = [threading.Thread(target=ask, args=(flags, "flag", ANNA, None, 20_000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        seen += sum(counts.read().values())
    assert seen + sum(counts.read().values()) == 80_000


# Recording.


@dataclass(slots=True)
class Case:
    outage: Outage = field(default_factory=Outage)
    clock: Clock = field(default_factory=Clock)
    buffer_limit: int = 1000
    recent_limit: int = 1000

    def recorder(self) -> ExposureRecorder:
        return ExposureRecorder(
            self.outage,  # type: ignore[arg-type]
            interval_seconds=10,
            buffer_limit=self.buffer_limit,
            recent_limit=self.recent_limit,
            clock=self.clock,
            monotonic=self.clock,
        )

    @property
    def kept(self) -> MemoryRecords:
        return self.outage.keeper


def split_experiment() -> FlagSet:
    return compiled(test=boolean(SPLIT, experiment=True))


def test_a_unit_is_recorded_once_with_its_variant() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    ask(flags, "test", ANNA, recorder, times=50)
    assert recorder.waiting == 1
    assert recorder.flush()
    variant = flags.answers["test"](ANNA).variant
    data = case.kept.read_experiment("test", "any")
    assert {name: one.units for name, one in data.variants.items()} == {variant: 1}


def test_no_targeting_key_is_ever_kept() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    ask(flags, "test", Context("anna@example.org"), recorder)
    recorder.tracked("purchase", Context("anna@example.org"), 1.0)
    assert "anna" not in repr(recorder._outbox._exposures) + repr(recorder._outbox._events)
    assert unit_of("test", "anna") != unit_of("other", "anna")


def test_who_is_named_by_a_rule_takes_no_part_in_the_experiment() -> None:
    rule = {"if": [{"in": [{"var": "targetingKey"}, ["boss"]]}, "on", SPLIT]}
    case, flags = Case(), compiled(test=boolean(rule, experiment=True))
    recorder = case.recorder()
    recorder.swapped(flags)
    ask(flags, "test", Context("boss"), recorder)
    assert recorder.waiting == 0
    ask(flags, "test", ANNA, recorder)
    assert recorder.waiting == 1


def test_a_kill_enrols_nobody_and_reassigns_nobody() -> None:
    killed = boolean({"if": [True, "off", SPLIT]})
    killed["metadata"] = {"switchover.experiment": True, "switchover.kill": "off"}  # type: ignore[call-overload,index]
    case, flags = Case(), compiled(test=killed)
    recorder = case.recorder()
    recorder.swapped(flags)
    ask(flags, "test", ANNA, recorder)
    assert flags.answers["test"](ANNA).variant == "off"
    assert recorder.waiting == 0


@pytest.mark.parametrize("key", [None, "", 7, ["a"]])
def test_contexts_without_a_usable_key_are_not_recorded(key: object) -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    context = Context(key)  # type: ignore[arg-type]
    recorder.exposed(flags.answers["test"](ANNA), context)
    recorder.tracked("purchase", context, None)
    assert recorder.waiting == 0


def test_a_conversion_counts_after_the_exposure_and_is_sent_after_it() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    recorder.tracked("purchase", ANNA, 4.0)
    case.clock.now += 1
    ask(flags, "test", ANNA, recorder)
    case.clock.now += 1
    recorder.tracked("purchase", ANNA, 5.0)
    recorder.flush()
    assert recorder.waiting == 2, "events wait until exposures of other processes must have arrived"
    case.clock.now += 30
    recorder.flush()
    data = case.kept.read_experiment("test", "purchase")
    (variant,) = data.variants.values()
    assert (variant.converted, variant.total, data.early) == (1, 5.0, 1)


@pytest.mark.parametrize("event", ["", "x" * (MAX_EVENT_NAME + 1), None, 7])
def test_what_is_no_event_is_dropped_and_counted(event: object) -> None:
    recorder = Case().recorder()
    recorder.swapped(split_experiment())
    recorder.tracked(event, ANNA, None)  # type: ignore[arg-type]
    assert recorder.dropped == {"events": 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "5", 10**400, [1]])
def test_what_is_no_value_is_dropped_and_counted(value: object) -> None:
    recorder = Case().recorder()
    recorder.swapped(split_experiment())
    recorder.tracked("purchase", ANNA, value)  # type: ignore[arg-type]
    assert recorder.dropped == {"events": 1}


def test_without_an_experiment_an_event_costs_nothing() -> None:
    recorder = Case().recorder()
    recorder.swapped(compiled(flag=boolean(SPLIT)))
    recorder.tracked("purchase", ANNA, 1.0)
    assert recorder.waiting == 0


def test_while_the_keeper_is_silent_counts_add_up_and_arrive_once() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    case.outage.is_silent = True
    for _ in range(5):
        ask(flags, "test", ANNA, recorder, times=10)
        assert not recorder.flush()
    case.outage.is_silent = False
    assert recorder.flush()
    assert kept(case.kept) == {"test": 50}
    assert recorder.waiting == 0


def test_a_lost_answer_of_the_keeper_counts_nothing_twice() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    case.outage.loses_answers = True
    ask(flags, "test", ANNA, recorder, times=10)
    assert not recorder.flush()
    ask(flags, "test", ANNA, recorder, times=5)
    assert not recorder.flush()
    case.outage.loses_answers = False
    assert recorder.flush()
    assert kept(case.kept) == {"test": 15}


def test_counts_of_an_outage_over_midnight_belong_to_their_days() -> None:
    case, flags = Case(), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    case.outage.is_silent = True
    ask(flags, "test", ANNA, times=3)
    recorder.flush()
    case.clock.now += 86_400
    ask(flags, "test", ANNA, times=4)
    recorder.flush()
    case.outage.is_silent = False
    recorder.flush()
    first, second = case.kept.read_counts()["test"]
    assert (first.count, second.count, (second.day - first.day).days) == (3, 4, 1)


def test_memory_is_bounded_under_many_distinct_units_and_what_is_dropped_is_counted() -> None:
    case, flags = Case(buffer_limit=500, recent_limit=1000), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    case.outage.is_silent = True
    for number in range(20_000):
        context = Context(f"user{number}")
        ask(flags, "test", context, recorder)
        recorder.tracked("purchase", context, None)
    recorder.flush()
    assert recorder.waiting <= 1003
    assert recorder.dropped == {"exposures": 19_500, "events": 19_500}
    assert len(recorder._recent) <= 1000


def test_a_unit_that_was_dropped_is_recorded_when_there_is_room_again() -> None:
    case, flags = Case(buffer_limit=1), split_experiment()
    recorder = case.recorder()
    recorder.swapped(flags)
    ask(flags, "test", Context("first"), recorder)
    ask(flags, "test", ANNA, recorder)
    recorder.flush()
    ask(flags, "test", ANNA, recorder)
    recorder.flush()
    assert sum(one.units for one in case.kept.read_experiment("test", "e").variants.values()) == 2


def test_the_totals_are_of_the_flags_in_the_set() -> None:
    recorder, first = Case().recorder(), compiled(1, stays=boolean(), goes=boolean())
    recorder.swapped(first)
    ask(first, "stays", ANNA, times=2)
    ask(first, "goes", ANNA)
    assert totals(dict(recorder.collect())) == {("stays", "off"): 2, ("goes", "off"): 1}
    recorder.swapped(compiled(2, before=first, stays=boolean()))
    assert totals(dict(recorder.collect())) == {("stays", "off"): 2}


def test_the_thread_flushes_and_stopping_sends_all_that_waits() -> None:
    keeper, flags = MemoryRecords(), split_experiment()
    recorder = ExposureRecorder(keeper, interval_seconds=0.02)
    recorder.swapped(flags)
    recorder.start()
    ask(flags, "test", ANNA, recorder, times=3)
    await_true(lambda: kept(keeper) == {"test": 3})
    recorder.tracked("purchase", ANNA, None)
    recorder.stop()
    assert sum(one.converted for one in keeper.read_experiment("test", "purchase").variants.values()) == 1
    recorder.start()
    ask(flags, "test", ANNA, recorder)
    await_true(lambda: kept(keeper) == {"test": 4})
    recorder.stop()


def test_a_forked_child_counts_its_own_answers_only() -> None:
    keeper, flags = MemoryRecords(), split_experiment()
    recorder = ExposureRecorder(keeper, interval_seconds=1000)
    recorder.swapped(flags)
    recorder.start()
    ask(flags, "test", ANNA, recorder, times=9)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            recorder.start()
            ask(flags, "test", Context("bert"), recorder, times=2)
            recorder.stop()
            units = sum(one.units for one in keeper.read_experiment("test", "e").variants.values())
            os.write(sending, f"{kept(keeper)['test']} {units}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receiving, 100) == b"2 1"
    recorder.stop()
    assert kept(keeper) == {"test": 9}


@dataclass(slots=True)
class Hand:
    """A feed of one set."""

    listener: Listener | None = None

    def start(self, listener: Listener) -> None:
        listener.replace(snapshot(test=boolean(SPLIT, experiment=True), plain=boolean()))

    def stop(self) -> None:
        pass


def test_a_client_records_what_it_answers() -> None:
    keeper = MemoryRecords()
    with Client(Hand(), recorder=ExposureRecorder(keeper, interval_seconds=1000)) as client:
        for _ in range(3):
            client.is_enabled("test", ANNA)
            client.get_value("plain", default=True, context=ANNA)
        client.track("purchase", ANNA, 2.5)
    assert kept(keeper) == {"test": 3, "plain": 3}
    (variant,) = keeper.read_experiment("test", "purchase").variants.values()
    assert (variant.units, variant.converted, variant.total) == (1, 1, 2.5)


def test_recent_marks_are_remembered_and_old_ones_forgotten() -> None:
    recent = Recent(100)
    for mark in range(1000):
        recent.add(mark)
        assert 0 in recent or mark == 0 or mark > 50
        assert len(recent) <= 100
    assert 999 in recent
    assert 5 not in recent


def await_true(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
