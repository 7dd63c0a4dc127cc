"""The halves of a rollback: the traffic, then the rest."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.decide.rollback import RollbackPlan
from switchover.model import HistoryEntry
from switchover.operations.lease import Claim, take_over
from switchover.operations.rollback import (
    LEASE_SECONDS,
    RollbackRequest,
    end_rollout,
    read_plan,
    read_plan_of_run,
    redeploy,
    restore_traffic,
)
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="plan-rollback",
    retries=3,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def plan_return(place: Place, service: str, version: str | None, failed_run: str | None) -> RollbackPlan:
    """The way back, from the ledger alone; with `failed_run` only for the rollout that this run began."""
    ports = place.connect()
    return read_plan_of_run(ports, service, failed_run) if failed_run else read_plan(ports, service, version)


@task(
    name="restore-traffic",
    retries=5,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def return_traffic(place: Place, request: RollbackRequest) -> tuple[Claim, RollbackPlan]:
    """Take the environment over and put all traffic where it belongs."""
    return restore_traffic(place.connect(), request)


@task(
    name="retire-loser",
    retries=5,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def retire_loser(place: Place, claim: Claim, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry:
    """Drain and stop the colour that lost, close the rollout, tell people."""
    return end_rollout(place.connect(), claim, request, plan)


@task(
    name="redeploy",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def redeploy_earlier(place: Place, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry:
    """Start an earlier release beside the live one, by digest from the ledger, and switch to it."""
    ports = place.connect()
    return redeploy(ports, take_over(ports, request.holder, LEASE_SECONDS), request, plan)
