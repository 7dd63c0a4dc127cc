"""Two at once: what a person, a hook, an automation, the watchdog and another person do to each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from switchover.adapters.system_clock import SystemClock
from switchover.decide.rollback import DEPLOY, Way
from switchover.decide.rollout import Event
from switchover.errors import BusyError, FencedError, InputError, TargetError, UnhealthyError
from switchover.model import Colour, EnvironmentRecord, JudgeSettings, Phase, Rollout, ServiceRecord, SlotStatus
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, acquire, renew
from switchover.operations.recovery import end_run, recover_abandoned, request_for_run, take_back_run
from switchover.operations.roll_out import roll_out
from switchover.operations.rollback import (
    RollbackRequest,
    end_if_in_flight,
    end_rollout,
    read_plan,
    restore_traffic,
    roll_back,
)
from switchover.operations.rollout import await_ready, begin, finalize, shift, start_slot
from switchover.operations.watch import open_watch, watch
from tests.operations.house import House, Wrap, bring_back


@pytest.fixture
def house() -> House:
    """1.1.0 is live, after 1.0.0; traffic flows."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    house.deploy("1.1.0")
    house.target.effects.clear()
    return house


def a_person(name: str = "ann", version: str | None = None) -> RollbackRequest:
    return RollbackRequest("shop", version, name, "asked for", f"rollback-of-{name}")


def meanwhile(effect_name: str, action: Callable[[], object], *, number: int = 1) -> Wrap:
    """Ports on which `action` happens right before the `number`-th effect of that name."""
    seen = 0

    def wrap(name: str, effect: Callable[..., object]) -> Callable[..., object]:
        def guarded(*args: object, **kwargs: object) -> object:
            nonlocal seen
            if name.endswith(effect_name):
                seen += 1
                if seen == number:
                    action()
            return effect(*args, **kwargs)

        return guarded

    return wrap


def begin_deploy(house: House, version: str = "1.2.0", run: str = "run-1") -> tuple[Claim, Rollout]:
    ports = house.ports()
    claim = acquire(ports, f"deploy of {version}", 15.0)
    return claim, begin(ports, claim, house.plan(version), rollout_id=run, flow_run_id=run)


@pytest.mark.parametrize("version", [None, "1.0.0"])
def test_a_second_person_does_not_undo_the_rollback_of_the_first(house: House, version: str | None) -> None:
    def second() -> None:
        with pytest.raises(BusyError, match=r"ann is rolling back to 1\.0\.0 already"):
            bring_back(house.ports(), a_person("bob", version))

    bring_back(house.ports(meanwhile("start", second)), a_person("ann"))
    house.assert_one_healthy_colour("1.0.0")


def test_a_rollback_that_somebody_else_has_done_meanwhile_is_not_done_again(house: House) -> None:
    def other() -> None:
        bring_back(house.ports(), a_person("bob"))

    plan, entry = bring_back(house.ports(meanwhile("write", other)), a_person("ann"))
    assert (plan.way, entry) == (Way.NOTHING, None)
    house.assert_one_healthy_colour("1.0.0")


def test_a_person_who_wants_another_version_takes_over_and_the_first_one_stops_at_once(house: House) -> None:
    house.deploy("1.2.0")

    def second() -> None:
        bring_back(house.ports(), a_person("bob", "1.0.0"))

    with pytest.raises(FencedError):
        bring_back(house.ports(meanwhile("start", second)), a_person("ann", "1.1.0"))
    house.assert_one_healthy_colour("1.0.0")


def test_a_hook_leaves_a_rollout_alone_that_a_person_is_rolling_back(house: House) -> None:
    claim, rollout = begin_deploy(house)
    shift(house.ports(), claim, pass_tests(house, claim, rollout), 10)

    def hook() -> None:
        assert take_back_run(house.ports(), "run-1", Event.FAILED, "fenced") is None
        assert end_run(house.ports(), "run-1", "the automation, too") is None
        assert recover_abandoned(house.ports(), "watchdog") == ()

    _, entry = bring_back(house.ports(meanwhile("stop", hook)), a_person())
    assert entry is not None
    assert entry.reasons[-1].message == "asked for"
    house.assert_one_healthy_colour("1.1.0")


def pass_tests(house: House, claim: Claim, rollout: Rollout) -> Rollout:
    return await_ready(house.ports(), claim, start_slot(house.ports(), claim, rollout))


def test_what_was_live_before_keeps_its_meaning_when_a_hook_is_faster(house: House) -> None:
    begin_deploy(house)

    def hook() -> None:
        assert end_run(house.ports(), "run-1", "failed") is not None

    plan, entry = bring_back(house.ports(meanwhile("write", hook)), a_person())
    assert (plan.way, entry) == (Way.NOTHING, None)
    house.assert_one_healthy_colour("1.1.0")


def test_a_plan_that_a_person_was_shown_keeps_its_meaning_while_the_person_thinks(house: House) -> None:
    begin_deploy(house)
    shown = read_plan(house.ports(), "shop", None)
    assert end_run(house.ports(), "run-1", "failed") is not None
    plan, entry = roll_back(house.ports(), a_person(), shown)
    assert (plan.way, entry) == (Way.NOTHING, None)
    house.assert_one_healthy_colour("1.1.0")


def test_hook_and_automation_of_one_run_go_on_with_each_others_work(house: House) -> None:
    begin_deploy(house)
    assert take_back_run(house.ports(), "run-1", Event.FAILED, "crashed") is not None
    assert end_run(house.ports(), "run-1", "crashed") is not None
    assert end_run(house.ports(), "run-1", "crashed") is None
    house.assert_one_healthy_colour("1.1.0")


def test_a_redeployment_waits_for_another_services_rollout(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy of cart 3.0.0", 15.0)
    put_in_flight(house, "cart", claim)
    with pytest.raises(BusyError, match=r"cart 3\.0\.0 is preparing"):
        bring_back(ports, a_person())
    renew(ports, claim)


def put_in_flight(house: House, service: str, claim: Claim) -> None:
    plan = house.plan("3.0.0")
    plan = replace(plan, release=replace(plan.release, service=service), old_colour=None, new_colour=Colour.BLUE)
    begin(house.ports(), claim, plan, rollout_id="cart-run", flow_run_id="cart-run")


def test_the_watchdog_takes_nothing_from_a_deployer_that_has_just_renewed(house: House) -> None:
    claim, _ = begin_deploy(house)
    house.let_the_lease_expire()
    ports = house.ports(meanwhile("write", lambda: renew(house.ports(), claim)))
    assert recover_abandoned(ports, "watchdog") == ()
    renew(house.ports(), claim)


def test_a_start_that_takes_longer_than_the_lease_is_not_taken_for_a_death(house: House) -> None:
    ports = in_real_time(house, meanwhile("start", lambda: look_twice(house)))
    claim = acquire(ports, "deploy", 0.3)
    plan = replace(house.plan("1.2.0"), steps=house.plan("1.2.0").steps[-1:], bake_seconds=0.0)
    entry = roll_out(ports, claim, plan, rollout_id="1", kind=DEPLOY)
    assert entry.outcome == "live"


def in_real_time(house: House, wrap: Wrap | None = None) -> EnvironmentPorts:
    return replace(house.ports(wrap), clock=SystemClock())


def look_twice(house: House) -> None:
    """A slow effect: longer than the lease of 0.3 s, with a watchdog that looks."""
    for _ in range(4):
        time.sleep(0.2)
        assert recover_abandoned(in_real_time(house), "watchdog") == ()


def test_a_watch_that_is_repeated_after_its_verdict_finishes_the_retreat_first(house: House) -> None:
    claim, rollout = begin_deploy(house)
    ports = house.ports()
    rollout, _ = shift(ports, claim, pass_tests(house, claim, rollout), 10)
    watching = open_watch(ports, rollout)
    sick = SlotStatus(2, 1)
    house.target.slots.script_status("shop", rollout.new_colour, sick)
    house.target.router.failures.add("set_route", TargetError("no", expected="", found="", next_step=""))
    settings = JudgeSettings()
    arguments = {"hold_seconds": 5.0, "settings": settings, "report": lambda *_: None}
    with pytest.raises(TargetError):
        watch(ports, claim, rollout, watching, **arguments)  # type: ignore[arg-type]
    assert house.target.router.routes["shop"].percent(rollout.new_colour) == 10
    house.target.slots.script_status("shop", rollout.new_colour, SlotStatus(2, 2))
    with pytest.raises(UnhealthyError, match="probe"):
        watch(ports, claim, rollout, watching, **arguments)  # type: ignore[arg-type]
    assert house.target.router.routes["shop"].percent(rollout.new_colour) == 0


def test_an_end_that_is_repeated_finds_its_own_work_done(house: House) -> None:
    begin_deploy(house)
    rollout = house.service.rollout
    assert rollout is not None
    request = request_for_run(rollout, Event.FAILED, "crashed")
    plan = read_plan(house.ports(), "shop", None, rollout.id)
    claim = restore_traffic(house.ports(), request, plan)
    assert claim is not None
    first = end_rollout(house.ports(), claim, plan)
    assert end_rollout(house.ports(), claim, plan) == first
    assert end_if_in_flight(house.ports(), request) is None


def test_a_finalize_that_is_repeated_finds_its_own_work_done(house: House) -> None:
    ports = house.ports()
    seen: list[Rollout] = []
    keep = meanwhile("append_history", lambda: seen.append(the_rollout(house)))
    entry = house.deploy("1.2.0", house.ports(keep))
    claim = Claim("deploy of 1.2.0", house.ledger.record.epoch, 15.0)
    assert finalize(ports, claim, seen[0]) == entry


def the_rollout(house: House) -> Rollout:
    rollout = house.service.rollout
    assert rollout is not None
    return rollout


def test_a_rollback_that_is_repeated_does_not_go_one_release_further(house: House) -> None:
    house.deploy("1.2.0")
    for _ in range(2):
        bring_back(house.ports(), a_person("ann"))
        house.assert_one_healthy_colour("1.1.0")


def test_a_deployment_that_cannot_begin_leaves_the_environment_free(house: House) -> None:
    stale = house.plan("1.3.0")
    house.deploy("1.2.0")
    ports = house.ports()
    claim = acquire(ports, "deploy of 1.3.0", 15.0)
    with pytest.raises(InputError, match="changed while the deployment"):
        begin(ports, claim, stale, rollout_id="1", flow_run_id=None)
    assert house.ledger.record.lease is None


def test_an_error_in_a_redeployment_is_undone_for_that_rollout_only(house: House) -> None:
    house.target.slots.failures.add("start", TargetError("full disk", expected="", found="", next_step=""))
    with pytest.raises(TargetError, match="full disk"):
        bring_back(house.ports(), a_person())
    house.assert_one_healthy_colour("1.1.0")
    assert house.ledger.read_history("shop", 1)[0].outcome == Phase.ROLLED_BACK.value


def test_a_first_release_that_is_taken_back_by_a_person_leaves_nothing(house: House) -> None:
    empty = House()
    ports = empty.ports()
    begin(ports, acquire(ports, "deploy", 15.0), empty.plan("1.0.0"), rollout_id="1", flow_run_id=None)
    plan, entry = bring_back(ports, a_person())
    assert entry is not None
    assert (plan.way, entry.outcome) == (Way.RETREAT, "rolled back")
    assert empty.ledger.record == replace(
        EnvironmentRecord("production"),
        revision=empty.ledger.record.revision,
        epoch=empty.ledger.record.epoch,
        services={"shop": ServiceRecord()},
    )
    assert house.service.live is not None
