"""The sign stage: vouch for the bytes that are about to be published."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.operations.release import Built, Signed, sign
from tasks.repeating import worth_repeating


@task(
    name="sign",
    task_run_name="sign {built.pending.component}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=180,
    cache_policy=NO_CACHE,
)
def sign_archive(scope: ReleaseScope, built: Built) -> Signed:
    """Sign the archive once, or say why not."""
    tools = open_release_tools(scope.root, scope.artifacts)
    return sign(tools.signer, tools.store, built)
