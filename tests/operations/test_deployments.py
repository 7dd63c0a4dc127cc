from __future__ import annotations

import re
from dataclasses import replace

import pytest

from switchover.decide.rollback import DEPLOY
from switchover.decide.rollout import Event
from switchover.errors import BusyError, FencedError, TargetError, UnhealthyError
from switchover.model import Colour, Phase, SlotStatus, SmokeTest
from switchover.operations.lease import acquire, release, renew, take_over
from switchover.operations.recovery import recover_abandoned, take_back_run
from switchover.operations.roll_out import roll_out
from switchover.operations.rollback import RollbackRequest, read_plan
from switchover.operations.rollout import begin
from tests.fakes import Answer
from tests.operations.house import House, bring_back


@pytest.fixture
def house() -> House:
    """1.0.0 is live on blue, traffic flows."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    house.target.effects.clear()
    return house


def a_request(version: str | None = None) -> RollbackRequest:
    return RollbackRequest("shop", version, "a person", "asked for", "rollback-1")


def test_a_canary_goes_in_its_steps_and_the_old_colour_stays_until_the_end(house: House) -> None:
    entry = house.deploy("1.1.0")
    assert (entry.outcome, entry.from_version, entry.to_version) == ("live", "1.0.0", "1.1.0")
    shares = [effect for effect in house.target.effects if effect.startswith("route")]
    assert shares == ["route shop 10", "route shop 50", "route shop 100", "route shop 100"]
    assert house.target.effects[0] == "start green 1.1.0"
    assert house.target.effects[-1] == "stop blue"
    house.assert_one_healthy_colour("1.1.0")


def test_the_judges_last_word_stands_in_the_ledger_while_it_watches_and_in_the_history_after(house: House) -> None:
    said: list[str] = []
    traffic = house.clock.on_sleep

    def second(now: float) -> None:
        traffic(now)
        rollout = house.service.rollout
        said.append(rollout.verdict.standing if rollout and rollout.verdict else "nothing yet")

    house.clock.on_sleep = second
    entry = house.deploy("1.1.0")
    assert said[0] == "nothing yet"
    assert said[-1] == "healthy"
    assert {reason.rule for reason in entry.reasons} == {"within-tolerance"}


def test_a_bad_canary_is_off_the_route_before_anybody_is_told_and_its_reasons_are_kept(house: House) -> None:
    house.serve_traffic(new_errors=20)
    with pytest.raises(UnhealthyError, match="at 10 %"):
        house.deploy("1.1.0", run="run-1")
    assert house.target.effects == ["start green 1.1.0", "route shop 10", "route shop 0"]
    assert house.service.rollout is not None
    assert house.service.rollout.phase is Phase.RETREATING
    take_back_run(house.ports(), "run-1", Event.FAILED, "the deployment failed")
    _, entry = bring_back(house.ports(), a_request())
    assert entry is not None
    assert entry.outcome == "rolled back"
    assert {reason.rule for reason in entry.reasons} >= {"errors-against-live", "rollback"}
    house.assert_one_healthy_colour("1.0.0")


def test_a_colour_that_crashes_is_given_up_before_its_time_with_the_last_of_its_log(house: House) -> None:
    crashing = SlotStatus(2, 0, restart_times=(1.0, 2.0, 3.0), detail="exit status 1")
    house.target.slots.script_status("shop", Colour.GREEN, crashing)
    house.target.slots.log["shop", Colour.GREEN] = ["CRITICAL no such key"]
    began = house.clock.now()
    with pytest.raises(UnhealthyError, match="exit status 1"):
        house.deploy("1.1.0")
    assert house.clock.now() - began < house.plan("1.1.0").workload.ready_seconds
    assert "route" not in " ".join(house.target.effects)


def test_a_colour_that_never_answers_is_given_up_after_its_time(house: House) -> None:
    house.target.slots.script_status("shop", Colour.GREEN, SlotStatus(2, 1))
    with pytest.raises(UnhealthyError, match="1 ready, after 30 s"):
        house.deploy("1.1.0")


def test_a_failed_smoke_test_stops_before_the_first_user(house: House) -> None:
    house.target.prober.script("shop-green:2", "/pay", Answer(status=404))
    plan = replace(house.plan("1.1.0"), smoke_tests=(SmokeTest("pay", "/pay"),))
    claim = acquire(house.ports(), "deploy", 15.0)
    with pytest.raises(UnhealthyError, match="1 of 2 smoke tests"):
        roll_out(house.ports(), claim, plan, rollout_id="1", kind=DEPLOY)
    assert house.target.effects == ["start green 1.1.0"]


def test_a_smoke_test_that_fails_during_the_bake_takes_the_release_back(house: House) -> None:
    house.target.prober.script("shop-green:2", "/pay", Answer(), Answer(status=500))
    plan = replace(house.plan("1.1.0"), smoke_tests=(SmokeTest("pay", "/pay"),))
    claim = acquire(house.ports(), "deploy", 15.0)
    with pytest.raises(UnhealthyError, match="pay"):
        roll_out(house.ports(), claim, plan, rollout_id="1", kind=DEPLOY)
    assert house.target.effects[-2:] == ["route shop 100", "route shop 0"]


def test_a_canary_without_traffic_is_taken_back_when_its_time_is_over(house: House) -> None:
    house.clock.on_sleep = lambda _now: None
    with pytest.raises(UnhealthyError, match="request"):
        house.deploy("1.1.0")
    assert house.target.router.routes["shop"].green_percent == 0


def test_a_second_deployment_is_refused_by_name_and_changes_nothing(house: House) -> None:
    acquire(house.ports(), "deploy of 1.1.0", 15.0)
    with pytest.raises(BusyError, match=r"deploy of 1\.1\.0 has it and renews its lease"):
        house.deploy("1.2.0")
    assert house.target.effects == []


def test_a_run_that_was_refused_takes_nothing_back(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy of 1.1.0", 15.0)
    begin(ports, claim, house.plan("1.1.0"), rollout_id="run-1", flow_run_id="run-1")
    assert take_back_run(ports, "run-2", Event.FAILED, "refused") is None
    renew(ports, claim)
    assert house.service.rollout is not None
    assert house.service.rollout.phase is Phase.PREPARING


def test_a_deployer_that_wakes_up_after_a_rollback_can_change_nothing(house: House) -> None:
    ports = house.ports()
    late = acquire(ports, "deploy of 1.1.0", 15.0)
    rollout = begin(ports, late, house.plan("1.1.0"), rollout_id="run-1", flow_run_id="run-1")
    bring_back(ports, a_request())
    with pytest.raises(FencedError):
        ports.router.set_route("shop", rollout_route := house.target.router.routes["shop"], epoch=late.epoch)
    with pytest.raises(FencedError):
        ports.slots.start(rollout.release, Colour.GREEN, rollout.workload, epoch=late.epoch)
    with pytest.raises(FencedError):
        renew(ports, late)
    assert rollout_route.percent(Colour.BLUE) == 100
    house.assert_one_healthy_colour("1.0.0")


def test_an_old_lease_that_is_given_back_does_not_free_the_new_holders(house: House) -> None:
    ports = house.ports()
    late = acquire(ports, "deploy", 15.0)
    take_over(ports, "rollback", 15.0, lambda _record: True)
    release(ports, late)
    assert house.ledger.record.lease is not None
    assert house.ledger.record.lease.holder == "rollback"


def test_a_living_deployer_is_left_alone_by_recovery(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy", 15.0)
    begin(ports, claim, house.plan("1.1.0"), rollout_id="run-1", flow_run_id=None)
    assert recover_abandoned(ports, "watchdog") == ()
    renew(ports, claim)


def test_an_abandoned_rollout_is_refused_to_a_new_deployment_until_it_is_recovered(house: House) -> None:
    ports = house.ports()
    begin(ports, acquire(ports, "deploy", 15.0), house.plan("1.1.0"), rollout_id="run-1", flow_run_id=None)
    house.let_the_lease_expire()
    with pytest.raises(BusyError, match="its deployer is gone"):
        acquire(ports, "deploy of 1.2.0", 15.0)
    (entry,) = recover_abandoned(ports, "watchdog")
    assert (entry.to_version, entry.outcome) == ("1.1.0", "rolled back")
    assert re.search(r"silent; the lease expired \d+ s ago", entry.reasons[-1].message)


def test_several_rollbacks_at_once_leave_one_result(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy", 15.0)
    begin(ports, claim, house.plan("1.1.0"), rollout_id="run-1", flow_run_id="run-1")
    take_back_run(ports, "run-1", Event.FAILED, "crashed")
    bring_back(ports, a_request())
    bring_back(ports, a_request("1.0.0"))
    assert take_back_run(ports, "run-1", Event.FAILED, "crashed") is None
    assert [entry.outcome for entry in ports.ledger.read_history("shop")] == ["rolled back", "live"]
    house.assert_one_healthy_colour("1.0.0")


def test_a_rollback_by_hand_redeploys_by_digest_and_twice_goes_two_back(house: House) -> None:
    house.deploy("1.1.0")
    house.deploy("1.2.0")
    for wanted in ("1.1.0", "1.0.0"):
        plan, entry = bring_back(house.ports(), replace(a_request(), rollout_id=f"to {wanted}"))
        assert plan.serve_version == wanted
        assert entry is not None
        assert (entry.kind, entry.outcome) == ("rollback", "live")
        assert [reason.message for reason in entry.reasons] == ["asked for"]
        house.assert_one_healthy_colour(wanted)


def test_a_rollback_during_a_rollout_to_an_even_older_version_ends_the_rollout_and_goes_there(house: House) -> None:
    house.deploy("1.1.0")
    ports = house.ports()
    begin(ports, acquire(ports, "deploy", 15.0), house.plan("1.2.0"), rollout_id="run-1", flow_run_id=None)
    bring_back(ports, a_request("1.0.0"))
    house.assert_one_healthy_colour("1.0.0")
    outcomes = [(entry.to_version, entry.outcome) for entry in ports.ledger.read_history("shop", 2)]
    assert outcomes == [("1.0.0", "live"), ("1.2.0", "rolled back")]


def test_a_rollback_whose_release_does_not_start_leaves_the_live_one_alone(house: House) -> None:
    house.deploy("1.1.0")
    house.target.slots.failures.add("start", TargetError("no", expected="", found="", next_step=""))
    with pytest.raises(TargetError):
        bring_back(house.ports(), a_request("1.0.0"))
    house.assert_one_healthy_colour("1.1.0")


def test_planning_a_rollback_touches_nothing(house: House) -> None:
    house.deploy("1.1.0")
    before = house.ledger.record
    assert read_plan(house.ports(), "shop", None).serve_version == "1.0.0"
    assert house.ledger.record == before


def test_a_router_that_does_not_confirm_stops_the_rollout(house: House) -> None:
    house.target.router.failures.add("confirm_route", TargetError("not seen", expected="", found="", next_step=""))
    with pytest.raises(TargetError, match="not seen"):
        house.deploy("1.1.0")
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "watchdog")
    house.assert_one_healthy_colour("1.0.0")


def test_people_are_told_every_outcome_once(house: House) -> None:
    house.deploy("1.1.0")
    bring_back(house.ports(), a_request())
    assert house.told.outcomes == [("1.0.0", "live"), ("1.1.0", "live"), ("1.0.0", "live")]
