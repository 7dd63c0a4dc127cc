"""Bring a release live: migrate, idle colour, smoke tests, approval, traffic in watched steps, bake, finalize."""

from __future__ import annotations

from typing import Literal

from prefect import flow
from prefect.runtime import flow_run

from flows.names import name_deploy
from flows.state_hooks import take_back
from switchover.config import FILE_NAME
from switchover.decide.deployment import Action, DeployPlan
from switchover.model import HistoryEntry
from switchover.operations.deployment import AS_CONFIGURED
from tasks.approval import ask, await_answer
from tasks.check import back_up_live, check_target
from tasks.finalize import bake, commit_rollout, finalize, tag_deployment
from tasks.migrate import migrate
from tasks.place import Place
from tasks.prepare import begin_rollout, claim_environment, plan_deployment
from tasks.recover import end_abandoned
from tasks.report import show_outcome, show_plan
from tasks.smoke import smoke
from tasks.start import await_colour, start_colour
from tasks.switch import open_eyes, switch, watch_traffic

Strategy = Literal["as configured", "instant", "canary-10", "canary-50", "canary-90", "steps"]


@flow(
    name="deploy",
    flow_run_name=name_deploy,
    on_failure=[take_back],
    on_cancellation=[take_back],
    on_crashed=[take_back],
    persist_result=False,
)
def deploy(
    service: str,
    version: str,
    environment: str,
    strategy: Strategy = AS_CONFIGURED,
    config: str = FILE_NAME,
    dry_run: bool = False,
) -> HistoryEntry | DeployPlan:
    """Bring a released version live in an environment, and leave it as it was when anything goes wrong.

    Args:
        service: The service, as in switchover.toml.
        version: A released version, for example 1.2.0.
        environment: Where it goes live.
        strategy: How the traffic moves.
        config: Path of switchover.toml where the flow runs.
        dry_run: Show the plan and stop.
    """
    place = Place(config, environment)
    end_abandoned(place)
    plan = plan_deployment(place, service, version, strategy)
    show_plan(plan)
    check_target(place, plan)
    if dry_run or plan.action is Action.NOTHING:
        return plan

    claim = claim_environment(place, plan, holder=f"deploy of {service} {version}")
    rollout = begin_rollout(place, claim, plan, str(flow_run.id), flow_run.run_count)
    back_up_live(place, claim, rollout)
    rollout = migrate(place, claim, rollout)
    rollout = start_colour(place, claim, rollout)
    rollout = await_colour(place, claim, rollout)
    smoke(place, claim, rollout, plan.smoke_tests)
    if plan.approval_seconds is not None:
        rollout = await_answer(place, claim, ask(place, claim, rollout), plan.approval_seconds)

    watching = open_eyes(place, rollout)
    for step in plan.steps:
        rollout, watching = switch(place, claim, rollout, watching, step.canary_percent)
        watching = watch_traffic(place, claim, rollout, watching, step.hold_seconds, plan.judge)

    rollout = bake(place, claim, rollout)
    watch_traffic(place, claim, rollout, watching, plan.bake_seconds, plan.judge, plan.smoke_tests)
    rollout = commit_rollout(place, claim, rollout)
    entry = finalize(place, claim, rollout)
    tag_deployment(place, entry)
    show_outcome(environment, entry)
    return entry
