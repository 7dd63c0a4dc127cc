"""Moving traffic, and watching what it does."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.decide.report import Look
from switchover.model import JudgeSettings, Observation, Rollout, SmokeTest, Verdict
from switchover.operations.lease import Claim
from switchover.operations.rollout import shift
from switchover.operations.watch import Watch, discount, open_watch, watch
from tasks.place import Place
from tasks.repeating import worth_repeating
from tasks.report import show_timeline


@task(
    name="open-watch",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def open_eyes(place: Place, rollout: Rollout) -> Watch:
    """Read the counters before the first user: everything after is evidence."""
    return open_watch(place.connect(), rollout)


@task(
    name="switch",
    task_run_name="switch to {canary_percent} %",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def switch(place: Place, claim: Claim, rollout: Rollout, watching: Watch, canary_percent: int) -> tuple[Rollout, Watch]:
    """Give the new colour its share of the traffic, and see it confirmed."""
    rollout, probes = shift(place.connect(), claim, rollout, canary_percent)
    return rollout, discount(watching, probes)


@task(
    name="watch",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=8 * 24 * 3600,  # the longest hold that a configuration may ask for is a week
    cache_policy=NO_CACHE,
)
def watch_traffic(
    place: Place,
    claim: Claim,
    rollout: Rollout,
    watching: Watch,
    hold_seconds: float,
    settings: JudgeSettings,
    smoke_tests: tuple[SmokeTest, ...] = (),
) -> Watch:
    """Judge real traffic about once a second for the holding time, and on until it is healthy."""
    logger = get_run_logger()
    looks: list[Look] = []

    def report(observation: Observation, verdict: Verdict) -> None:
        looks.append(Look(rollout.canary_percent, observation, verdict))
        logger.info("at %s %%: %s", rollout.canary_percent, verdict)

    try:
        return watch(
            place.connect(),
            claim,
            rollout,
            watching,
            hold_seconds=hold_seconds,
            settings=settings,
            report=report,
            smoke_tests=smoke_tests,
        )
    finally:
        show_timeline(rollout.service, place.environment, looks)
