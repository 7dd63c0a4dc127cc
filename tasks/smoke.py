"""The last check before the first user."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.model import ProbeResult, Rollout, SmokeTest
from switchover.operations.lease import Claim
from switchover.operations.rollout import run_smoke_tests
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="smoke",
    retries=1,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=1800,
    cache_policy=NO_CACHE,
)
def smoke(place: Place, claim: Claim, rollout: Rollout, tests: tuple[SmokeTest, ...]) -> tuple[ProbeResult, ...]:
    """Every smoke test on every replica of the idle colour, past the router."""
    return run_smoke_tests(place.connect(), claim, rollout, tests)
