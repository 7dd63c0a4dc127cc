from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.decide.deployment import Action, DeployPlan, DeployRequest, plan_deployment
from switchover.decide.live import Live
from switchover.decide.strategy import NAMED, OWN_STEPS, choose_steps
from switchover.model import Colour, EnvironmentRecord, JudgeSettings, ServiceRecord, Step
from tests.builders import WORKLOAD, a_live_record, a_release


def a_request(version: str = "1.1.0", strategy: str = "canary-10") -> DeployRequest:
    return DeployRequest(
        environment="production",
        release=a_release(version),
        workload=WORKLOAD,
        strategy=strategy,
        own_steps=None,
        hold_seconds=60.0,
        bake_seconds=300.0,
        lease_seconds=15.0,
        smoke_tests=(),
        judge=JudgeSettings(),
    )


def plan_against(request: DeployRequest, record: EnvironmentRecord) -> DeployPlan:
    """Where the target shows what the ledger says."""
    service = record.services.get("shop", ServiceRecord())
    release = service.slot(service.live).release if service.live else None
    return plan_deployment(request, record, Live(service.live, release.version if release else None))


def test_the_first_release_goes_to_blue_in_one_step_without_a_bake() -> None:
    plan = plan_against(a_request(), EnvironmentRecord("production"))
    assert (plan.action, plan.new_colour, plan.old_colour) == (Action.ROLL_OUT, "blue", None)
    assert plan.steps == (Step(100, 0.0),)
    assert plan.bake_seconds == 0


@pytest.mark.parametrize("colour", list(Colour))
def test_the_next_release_goes_to_the_idle_colour(colour: Colour) -> None:
    plan = plan_against(a_request(), a_live_record("1.0.0", colour))
    assert (plan.new_colour, plan.old_colour, plan.old_version) == (colour.other, colour, "1.0.0")


def test_exactly_the_live_release_and_workload_is_nothing_to_do() -> None:
    plan = plan_against(a_request("1.0.0"), a_live_record("1.0.0"))
    assert plan.action is Action.NOTHING
    assert plan.steps == ()
    assert "already live on blue" in plan.reason


def test_the_live_version_with_another_workload_is_rolled_out() -> None:
    request = replace(a_request("1.0.0"), workload=replace(WORKLOAD, replicas=5))
    plan: DeployPlan = plan_against(request, a_live_record("1.0.0"))
    assert plan.action is Action.ROLL_OUT


@pytest.mark.parametrize(
    ("strategy", "shares"),
    [("instant", [100]), ("canary-10", [10, 50, 100]), ("canary-50", [50, 100]), ("canary-90", [90, 100])],
)
def test_named_strategies_take_their_steps_and_only_the_bake_holds_the_last(strategy: str, shares: list[int]) -> None:
    steps = choose_steps(strategy, hold_seconds=60, own_steps=None, has_live=True)
    assert [step.canary_percent for step in steps] == shares
    assert [step.hold_seconds for step in steps] == [60.0] * (len(shares) - 1) + [0.0]


def test_every_named_strategy_ends_at_the_whole_traffic() -> None:
    assert {shares[-1] for shares in NAMED.values()} == {100}


def test_own_steps_are_taken_as_they_are() -> None:
    own = (Step(5, 30.0), Step(100, 10.0))
    assert choose_steps(OWN_STEPS, hold_seconds=60, own_steps=own, has_live=True) == own
