"""Bringing the idle colour up, without a user on it."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.model import Rollout
from switchover.operations.lease import Claim
from switchover.operations.rollout import await_ready, start_slot
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="start-colour",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def start_colour(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Start the release in the idle colour."""
    return start_slot(place.connect(), claim, rollout)


@task(
    name="await-ready",
    retries=1,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=3600,  # the workload's own ready_seconds ends it long before
    cache_policy=NO_CACHE,
)
def await_colour(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Wait until every replica of the idle colour answers its health path."""
    return await_ready(place.connect(), claim, rollout)
