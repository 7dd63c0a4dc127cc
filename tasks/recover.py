"""What a deployer left behind that died without a word."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.model import HistoryEntry
from switchover.operations.recovery import recover_abandoned
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="end-abandoned",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def end_abandoned(place: Place) -> tuple[HistoryEntry, ...]:
    """Bring every rollout whose lease has expired to its end; nothing when there is none."""
    return recover_abandoned(place.connect(), f"recovery of {place.environment}")
