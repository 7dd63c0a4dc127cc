"""A rollback, planned and brought about by the same plain functions that the command line uses."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.decide.rollback import RollbackPlan
from switchover.model import HistoryEntry
from switchover.operations.recovery import end_run, find_rollout_of_run
from switchover.operations.rollback import RollbackRequest, read_plan, roll_back
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
    ports = place.connect_at_once()
    only = find_rollout_of_run(ports.ledger.read(), failed_run) if failed_run else None
    return read_plan(ports, service, version, only)


@task(
    name="bring-back",
    retries=5,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def bring_back(
    place: Place, request: RollbackRequest, plan: RollbackPlan, failed_run: str | None
) -> HistoryEntry | None:
    """Traffic first, then the rest; None when somebody else was faster. Repeating it goes on where it stopped."""
    if failed_run:
        return end_run(place.connect_at_once(), failed_run, request.reason)
    return roll_back(place.connect_anyhow(), request, plan)[1]
