"""Everything that can be known to go wrong is refused here, before the first effect; and what is live is kept."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.decide.deployment import DeployPlan
from switchover.model import Rollout
from switchover.operations.lease import Claim
from switchover.operations.preflight import back_up, require_ready
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="check-target",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def check_target(place: Place, plan: DeployPlan) -> None:
    """Refuse what the target could not bring live, with every object, field and fix named."""
    require_ready(place.connect(), plan)


@task(
    name="back-up",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def back_up_live(place: Place, claim: Claim, rollout: Rollout) -> None:
    """Keep the live objects as they are now."""
    back_up(place.connect(), claim, rollout)
