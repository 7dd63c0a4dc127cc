"""The publish stages: bytes, version, tag, page, and moving tags last. Each asks first what is there."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope
from switchover.operations.progress import Progress
from switchover.operations.publishing import finish, forget_stale, point, publish, tag
from switchover.operations.release_page import page
from tasks.release_scope import open_tools
from tasks.repeating import worth_repeating


@task(
    name="publish",
    task_run_name="publish {progress.component}",
    retries=3,
    retry_delay_seconds=3,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def publish_component(scope: ReleaseScope, progress: Progress) -> Progress:
    """Give the bytes their version at their destination, and enter the release into the store."""
    return publish(open_tools(scope), progress)


@task(
    name="tag",
    task_run_name="tag {progress.component}",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def tag_component(scope: ReleaseScope, progress: Progress) -> Progress:
    """Tag what is published, and nothing else."""
    return tag(open_tools(scope), progress)


@task(
    name="page",
    task_run_name="page {group[0].component.tag}",
    retries=3,
    retry_delay_seconds=5,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def make_page(scope: ReleaseScope, group: tuple[Progress, ...], folder: Path) -> tuple[Progress, ...]:
    """Make the page of a tag with its files."""
    return page(open_tools(scope), group, folder)


@task(
    name="point",
    task_run_name="point {progress.component}",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def move_pointers(scope: ReleaseScope, progress: Progress) -> Progress:
    """Bring `latest` and the like to the newest versions."""
    return point(open_tools(scope), progress)


@task(
    name="finish",
    task_run_name="finish {scope.project}",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def forget_marks(scope: ReleaseScope, all_progress: tuple[Progress, ...]) -> None:
    """Forget that these releases were under way, last of all."""
    tools = open_tools(scope)
    finish(tools, all_progress)
    forget_stale(tools, scope.settings)
