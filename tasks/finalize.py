"""The end of a good rollout."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.deployment_tag import tag_deployed
from switchover.decide.outcome import Failed, Outcome
from switchover.errors import SwitchoverError
from switchover.model import HistoryEntry, Rollout
from switchover.operations.lease import Claim
from switchover.operations.rollout import begin_bake, commit
from switchover.operations.rollout import finalize as finalize_rollout
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="bake",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def bake(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Record that all traffic is on the new colour, with the old one warm."""
    return begin_bake(place.connect(), claim, rollout)


@task(
    name="commit",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def commit_rollout(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Record the new colour as live: from here on every way leads forwards."""
    return commit(place.connect(), claim, rollout)


@task(
    name="finalize",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=8 * 24 * 3600,  # a contract migration's own timeout ends it long before
    cache_policy=NO_CACHE,
)
def finalize(place: Place, claim: Claim, rollout: Rollout) -> HistoryEntry:
    """Drain and stop the old colour, close the rollout, tell people."""
    return finalize_rollout(place.connect(), claim, rollout)


@task(
    name="tag-deployment",
    retries=1,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def tag_deployment(place: Place, entry: HistoryEntry) -> Outcome:
    """Tag the deployed commit `deployed/<environment>/<service>/<version>`, where the flow runs in its checkout.

    The release is live whatever becomes of the tag: what keeps it from being put is logged.
    """
    log = get_run_logger()
    try:
        outcome = tag_deployed(place.load().root, place.environment, entry)
    except SwitchoverError as error:
        outcome = Failed("tag-deployment", error.problem.found)
    log.info("deployment tag: %s", outcome)
    return outcome
