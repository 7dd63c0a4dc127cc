"""The build stage: one archive per component, made of its commit alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.container_host import BUILD_HOST, open_container_host
from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.operations.release import Built, Pending, build
from tasks.repeating import worth_repeating


@task(
    name="build",
    task_run_name="build {pending.component}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def build_component(scope: ReleaseScope, pending: Pending, folder: Path) -> Built:
    """Make the archive of a component in `folder`."""
    tools = open_release_tools(scope.root, scope.artifacts, partial(open_container_host, BUILD_HOST))
    return build(tools, pending, folder)
