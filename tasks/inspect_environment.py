"""Whether the ledger, the router and the processes say the same."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.cli.inspection import find_disagreements, inspect_environment
from switchover.errors import TargetError
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="require-agreement",
    retries=2,
    retry_delay_seconds=5,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def require_agreement(place: Place) -> None:
    """Raise `TargetError` naming every disagreement. A rollout in flight moves: then there is nothing to say."""
    status = inspect_environment(place.connect())
    if any(service.rollout for service in status.services):
        get_run_logger().info("a rollout is in flight in %s; its own deployer looks after it", place.environment)
        return
    found = find_disagreements(status)
    if found:
        raise TargetError(
            f"{place.environment} is not what its ledger says",
            expected="ledger, router and processes to agree",
            found="; ".join(found),
            next_step="look at `switchover status`; a rollback or a deployment puts it right",
        )
