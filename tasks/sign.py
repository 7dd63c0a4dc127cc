"""The sign stage: vouch for the bytes that are about to be published."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope
from switchover.operations.making import sign
from switchover.operations.progress import Progress
from tasks.release_scope import open_tools
from tasks.repeating import worth_repeating


@task(
    name="sign",
    task_run_name="sign {progress.component}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def sign_component(scope: ReleaseScope, progress: Progress) -> Progress:
    """Sign the artifact once, or say why not; an image is brought to its registry by digest for that."""
    return sign(open_tools(scope), progress)
