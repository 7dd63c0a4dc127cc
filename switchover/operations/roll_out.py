"""A whole rollout without Prefect: the same steps in the same order as `flows.deploy`, which adds the retries."""

from __future__ import annotations

from switchover.decide.deployment import DeployPlan
from switchover.model import HistoryEntry, Observation, Reason, Verdict
from switchover.operations.approval import ask_approval, await_approval
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim
from switchover.operations.migration import run_migrations
from switchover.operations.preflight import back_up
from switchover.operations.rollout import (
    await_ready,
    begin,
    begin_bake,
    commit,
    finalize,
    run_smoke_tests,
    shift,
    start_slot,
)
from switchover.operations.watch import discount, open_watch, watch


def roll_out(
    ports: EnvironmentPorts,
    claim: Claim,
    plan: DeployPlan,
    *,
    rollout_id: str,
    kind: str,
    flow_run_id: str | None = None,
    reasons: tuple[Reason, ...] = (),
) -> HistoryEntry:
    """Bring the plan's release live, or raise where it stopped: the caller takes it back from there."""
    rollout = begin(ports, claim, plan, rollout_id=rollout_id, flow_run_id=flow_run_id, reasons=reasons)
    back_up(ports, claim, rollout)
    rollout = run_migrations(ports, claim, rollout)
    rollout = await_ready(ports, claim, start_slot(ports, claim, rollout))
    run_smoke_tests(ports, claim, rollout, plan.smoke_tests)
    if plan.approval_seconds is not None:
        rollout = await_approval(ports, claim, ask_approval(ports, claim, rollout), plan.approval_seconds)
    watching = open_watch(ports, rollout)
    for step in plan.steps:
        rollout, probes = shift(ports, claim, rollout, step.canary_percent)
        watching = watch(
            ports,
            claim,
            rollout,
            discount(watching, probes),
            hold_seconds=step.hold_seconds,
            settings=plan.judge,
            report=_say_nothing,
        )
    rollout = begin_bake(ports, claim, rollout)
    watch(
        ports,
        claim,
        rollout,
        watching,
        hold_seconds=plan.bake_seconds,
        settings=plan.judge,
        report=_say_nothing,
        smoke_tests=plan.smoke_tests,
    )
    return finalize(ports, claim, commit(ports, claim, rollout), kind=kind)


def _say_nothing(_observation: Observation, _verdict: Verdict) -> None:
    """Nobody reads along."""
