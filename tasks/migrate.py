"""What releases share is changed before a release starts, in a way that the live one can stand."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.model import Rollout
from switchover.operations.lease import Claim
from switchover.operations.migration import run_migrations
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="migrate",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=8 * 24 * 3600,  # each migration's own timeout ends it long before
    cache_policy=NO_CACHE,
)
def migrate(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Run the migrations of the rollout that have not succeeded yet."""
    return run_migrations(place.connect(), claim, rollout)
