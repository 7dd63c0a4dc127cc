"""The demonstration's promises: they hold on a good run, and each of them can be seen to break."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.demo.load_report import Count, Failure, LoadReport
from switchover.demo.records import Ending, EnvironmentCheck, Kind, PhaseRecord
from switchover.model import Route
from tests.demo.made_up import change, judge, make_check, make_load, make_records, phase_begin, play


def broken(
    records: list[PhaseRecord] | None = None, load: LoadReport | None = None, ending: Ending | None = None
) -> set[str]:
    return {name for name, promise in judge(records, load, ending).items() if not promise.kept}


def add_failure(load: LoadReport, number: int, version: str) -> LoadReport:
    failure = Failure(phase_begin(number) + 3.5, "status 503", "blue", version)
    return replace(load, failures=(*load.failures, failure))


def test_a_good_run_keeps_every_promise() -> None:
    assert broken() == set()


def test_a_phase_that_was_not_played_breaks_the_story() -> None:
    assert broken(ending=Ending(3, 7)) == {"every phase"}
    assert "the server died" in judge(ending=Ending(7, 7, stopped_by="the server died"))["every phase"].found


def test_a_load_below_its_rate_or_with_lost_requests_is_no_load() -> None:
    load = make_load()
    assert load.summary is not None
    late = replace(load, summary=replace(load.summary, end=load.summary.end + 5))
    lost = replace(load, summary=replace(load.summary, finished=load.summary.finished - 1))
    assert broken(load=late) == {"load"}
    assert broken(load=lost) == {"load"}
    assert broken(load=replace(load, summary=None)) == {"load"}


@pytest.mark.parametrize(("number", "version"), [(1, "1.1.0"), (5, "1.3.0"), (6, "1.1.0")])
def test_one_lost_request_breaks_a_healthy_switch(number: int, version: str) -> None:
    assert broken(load=add_failure(make_load(), number, version)) == {"healthy switches"}


def test_a_failure_that_the_bad_release_did_not_answer_is_ours() -> None:
    assert broken(load=add_failure(make_load(), 2, "1.1.0")) == {"no other failures"}
    assert broken(load=add_failure(make_load(), 2, "")) == {"no other failures"}


def test_a_bad_release_on_more_than_a_tenth_of_the_users_is_too_much() -> None:
    assert broken(load=make_load(bad_requests=150)) == {"users reached"}


def test_a_bad_release_that_answers_for_too_long_is_named() -> None:
    records = change(make_records(), Kind.BAD, end=phase_begin(2) + 25)
    load = make_load()
    late = replace(
        load.intervals[20],
        versions={**load.intervals[20].versions, "1.2.0": Count(1, 0, 0, phase_begin(3) + 4, phase_begin(3) + 4.5)},
    )
    load = replace(load, intervals=(*load.intervals[:20], late, *load.intervals[21:]))
    assert "off the route" in broken(records, load)


def test_the_median_is_judged_from_three_runs_on() -> None:
    records = make_records()
    again = [
        replace(record, scene=replace(record.scene, title=f"bad, run {run}"))
        for record in records
        for run in (2, 3)
        if record.scene.kind is Kind.BAD
    ]
    assert "off the route, p50" not in judge(records + again[:1])
    assert judge(records + again)["off the route, p50"].kept
    slow = judge(records + again, make_load(bad_seconds=8))
    assert not slow["off the route, p50"].kept
    assert slow["off the route"].kept


@pytest.mark.parametrize("kind", [Kind.BAD, Kind.SLOW])
@pytest.mark.parametrize("confirmed_after", [1.5, None])
def test_a_slow_or_unseen_way_back_breaks_the_promise(kind: Kind, confirmed_after: float | None) -> None:
    records = []
    for record in make_records():
        rollout = record.rollout
        assert rollout is not None
        if record.scene.kind is kind:
            at = None if confirmed_after is None else record.begin + 5 + confirmed_after
            rollout = replace(rollout, confirmed_at=at)
        records.append(replace(record, rollout=rollout))
    assert broken(records) == {"rollback"}


@pytest.mark.parametrize("kind", [Kind.BAD, Kind.UNSEEN, Kind.SLOW])
def test_a_bad_release_past_its_first_step_is_named(kind: Kind) -> None:
    records = []
    for record in make_records():
        rollout = record.rollout
        assert rollout is not None
        if record.scene.kind is kind:
            moves = (*rollout.moves[:-1], replace(rollout.moves[0], canary_percent=50), rollout.moves[-1])
            rollout = replace(rollout, moves=moves)
        records.append(replace(record, rollout=rollout))
    assert broken(records) == {"first step"}


def test_one_user_on_a_release_that_failed_its_smoke_tests_is_one_too_many() -> None:
    load = make_load()
    first = load.intervals[0]
    seen = replace(first, versions={**first.versions, "1.2.2": Count(1, 0, 0, first.begin, first.begin)})
    assert broken(load=replace(load, intervals=(seen, *load.intervals[1:]))) == {"smoke tests"}


def test_a_failed_run_without_a_rollback_by_its_hook_is_named() -> None:
    records = change(make_records(), Kind.BAD, hook_started_rollback=False)
    assert broken(records) == {"state hook"}
    assert "bad" in judge(records)["state hook"].found


@pytest.mark.parametrize(
    "check",
    [
        replace(make_check("1.1.0"), live_version="1.3.0"),
        replace(make_check("1.1.0"), live=None),
        replace(make_check("1.1.0"), rollout_in_flight=True),
        replace(make_check("1.1.0"), envoy_route=Route(50, 50)),
        replace(make_check("1.1.0"), envoy_route=None),
        replace(make_check("1.1.0"), ledger_route=Route(0, 100), envoy_route=Route(0, 100)),
        replace(make_check("1.1.0"), live_ready=False),
        replace(make_check("1.1.0"), idle_replicas=2),
        replace(make_check("1.1.0"), processes=9),
    ],
)
def test_whatever_is_wrong_with_the_environment_after_a_phase_is_named(check: EnvironmentCheck) -> None:
    records = change(make_records(), Kind.KILLED, check=check)
    assert broken(records) == {"one colour"}
    assert "killed" in judge(records)["one colour"].found


def test_a_process_that_is_left_running_is_named_by_its_id() -> None:
    ending = Ending(7, 7, left_running=(4711,))
    assert broken(ending=ending) == {"nothing left"}
    assert "4711" in judge(ending=ending)["nothing left"].found


def test_nothing_that_was_not_measured_counts_as_kept() -> None:
    first = make_records()[:1]
    empty = LoadReport((), (), None)
    assert broken(first, empty) >= {
        "load",
        "healthy switches",
        "users reached",
        "off the route",
        "rollback",
        "first step",
        "smoke tests",
        "state hook",
    }


def test_figures_are_measured_from_the_first_bad_answer_to_the_verdict_to_the_route() -> None:
    figures = {record.scene.kind: found for record, found in play(make_records(), make_load())}
    bad = figures[Kind.BAD]
    assert (bad.requests, bad.failed, bad.reached) == (3000, 18, 90)
    assert bad.reached_percent == pytest.approx(3.0)
    assert bad.exposed_percent == pytest.approx(10.0)
    assert bad.detection_seconds == pytest.approx(5 - 2.1)
    assert bad.rollback_seconds == pytest.approx(0.25)
    assert bad.exposure_seconds == pytest.approx(4.9 - 2.1)
    assert figures[Kind.UNSEEN].detection_seconds == pytest.approx(4.0)
    assert figures[Kind.KILLED].detection_seconds == pytest.approx(3.0)
    assert figures[Kind.BY_HAND].rollback_seconds == pytest.approx(1.0)
    assert figures[Kind.HEALTHY].detection_seconds is None
