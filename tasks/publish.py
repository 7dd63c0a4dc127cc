"""The publish stage: the bytes, then the entry in the index, then the tag."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.decide.outcome import Outcome
from switchover.model import Release
from switchover.operations.release import Built, Pending, Signed, publish, tag
from tasks.repeating import worth_repeating


@task(
    name="publish",
    task_run_name="publish {built.pending.component}",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def publish_component(scope: ReleaseScope, built: Built, signed: Signed) -> Release | None:
    """Store the artifact and enter the release into the index; None when nothing was built."""
    return publish(open_release_tools(scope.root, scope.artifacts).store, built, signed)


@task(
    name="tag",
    task_run_name="tag {pending.component}",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def tag_component(scope: ReleaseScope, pending: Pending, release: Release | None) -> Outcome:
    """Tag what is published, and nothing else."""
    return tag(open_release_tools(scope.root, scope.artifacts).history, pending, release)
