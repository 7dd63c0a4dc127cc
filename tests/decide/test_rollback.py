from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.decide.record import apply_event
from switchover.decide.rollback import Way, plan_recovery, plan_rollback, still_holds
from switchover.decide.rollout import Event
from switchover.errors import InputError
from switchover.model import Colour, HistoryEntry, Phase, ServiceRecord, Slot
from tests.builders import WORKLOAD, a_begun_record, a_history, a_live_record, a_release, an_entry, with_service
from tests.decide.test_rollout import HAPPY_WAY, walk


def live(version: str) -> ServiceRecord:
    return a_live_record(version).services["shop"]


@pytest.mark.parametrize("steps", range(len(HAPPY_WAY)))
def test_a_rollout_before_the_commit_point_goes_back_to_the_old_colour(steps: int) -> None:
    plan = plan_recovery("shop", walk(steps).services["shop"])
    assert (plan.way, plan.serve, plan.serve_version, plan.empty) == (Way.RETREAT, "blue", "1.0.0", "green")


def test_a_committed_rollout_is_finished_forwards() -> None:
    plan = plan_recovery("shop", walk(len(HAPPY_WAY)).services["shop"])
    assert (plan.way, plan.serve, plan.serve_version, plan.empty) == (Way.FINISH, "green", "1.1.0", "blue")


def test_with_nothing_in_flight_there_is_nothing_to_recover() -> None:
    assert plan_recovery("shop", live("1.0.0")).way is Way.NOTHING


def test_an_older_version_is_redeployed_beside_the_live_one_by_its_digest() -> None:
    history = a_history("1.0.0", "1.1.0", "1.2.0")
    plan = plan_rollback("shop", live("1.2.0"), history, "1.0.0")
    assert (plan.way, plan.serve, plan.empty) == (Way.REDEPLOY, Colour.GREEN, Colour.BLUE)
    assert plan.release == history[-1].release
    assert plan.workload == history[-1].workload


def test_without_a_version_it_is_the_release_before_the_live_one() -> None:
    plan = plan_rollback("shop", live("1.2.0"), a_history("1.0.0", "1.1.0", "1.2.0"), None)
    assert plan.serve_version == "1.1.0"


def test_rolling_back_twice_goes_two_releases_back_and_never_to_the_bad_one() -> None:
    history = (an_entry("1.1.0", kind="rollback", ended_at=9), *a_history("1.0.0", "1.1.0", "1.2.0"))
    assert plan_rollback("shop", live("1.1.0"), history, None).serve_version == "1.0.0"


def test_a_version_that_never_went_live_does_not_count_as_before() -> None:
    failed = an_entry("1.2.0", outcome=Phase.ROLLED_BACK.value, ended_at=9)
    history = (failed, *a_history("1.0.0", "1.1.0"))
    assert plan_rollback("shop", live("1.1.0"), history, None).serve_version == "1.0.0"
    with pytest.raises(InputError, match=r"1\.2\.0"):
        plan_rollback("shop", live("1.1.0"), history, "1.2.0")


def test_the_live_version_needs_no_rollback() -> None:
    plan = plan_rollback("shop", live("1.1.0"), a_history("1.0.0", "1.1.0"), "1.1.0")
    assert plan.way is Way.NOTHING


@pytest.mark.parametrize("version", [None, "0.9.0"])
def test_nothing_to_go_back_to_says_so(version: str | None) -> None:
    with pytest.raises(InputError) as refused:
        plan_rollback("shop", live("1.0.0"), a_history("1.0.0"), version)
    assert "nothing to go back to" in refused.value.problem.next_step


def test_a_rollout_in_flight_is_ended_first_whatever_version_is_wanted() -> None:
    service = walk(3).services["shop"]
    for version in (None, "0.9.0", "1.0.0"):
        plan = plan_rollback("shop", service, a_history("0.9.0", "1.0.0"), version)
        assert (plan.way, plan.rollout_id) == (Way.RETREAT, "run-1.1.0")


def test_a_plan_holds_while_the_same_rollout_goes_on_and_no_longer() -> None:
    plan = plan_recovery("shop", walk(3).services["shop"])
    assert still_holds(plan, plan_recovery("shop", walk(5).services["shop"]))
    assert not still_holds(plan, plan_recovery("shop", walk(len(HAPPY_WAY)).services["shop"]))
    assert not still_holds(plan, plan_recovery("shop", live("1.0.0")))


def test_a_bad_change_of_the_configuration_alone_can_be_rolled_back() -> None:
    changed = replace(WORKLOAD, replicas=1)
    history = (replace(an_entry("1.0.0", ended_at=9), workload=changed), *a_history("1.0.0"))
    service = with_service(a_live_record("1.0.0"), blue=Slot(a_release("1.0.0"), changed)).services["shop"]
    plan = plan_rollback("shop", service, history, None)
    assert (plan.way, plan.serve_version, plan.workload) == (Way.REDEPLOY, "1.0.0", WORKLOAD)


def test_an_unknown_version_is_refused_before_the_rollout_in_flight_is_touched() -> None:
    with pytest.raises(InputError, match=r"7\.7\.7"):
        plan_rollback("shop", walk(3).services["shop"], a_history("1.0.0"), "7.7.7")


def test_a_first_rollout_goes_back_to_nothing() -> None:
    empty = replace(a_live_record(), services={})
    record = apply_event(a_begun_record(empty), "shop", Event.FAILED, now=1.0)
    plan = plan_recovery("shop", record.services["shop"])
    assert (plan.way, plan.serve, plan.empty) == (Way.RETREAT, None, "blue")


def test_history_is_read_newest_first() -> None:
    history: tuple[HistoryEntry, ...] = a_history("1.0.0", "1.1.0")
    assert [entry.to_version for entry in history] == ["1.1.0", "1.0.0"]
