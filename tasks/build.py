"""The build stages: the repository's own tests, then one artifact per component, made of its commit alone."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope
from switchover.decide.outcome import Outcome
from switchover.operations.making import build
from switchover.operations.pending import Pending
from switchover.operations.progress import Progress
from switchover.operations.release import test
from tasks.release_scope import open_tools
from tasks.repeating import worth_repeating


@task(
    name="build-test",
    task_run_name="build-test {scope.project}",
    retries=0,  # a test that passes the second time says nothing about the release
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def test_commits(scope: ReleaseScope, pending: tuple[Pending, ...]) -> Outcome:
    """Run the repository's own tests on every commit that something is built from."""
    return test(open_tools(scope), pending)


@task(
    name="build",
    task_run_name="build {pending.component}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=1800,
    cache_policy=NO_CACHE,
)
def build_component(scope: ReleaseScope, pending: Pending, tested: Outcome, folder: Path) -> Progress:
    """Make the artifact of a component in `folder`: an image, an npm package, or an archive."""
    _ = tested  # orders the tasks: nothing is built before the tests have passed
    return build(open_tools(scope), Progress(pending), folder)
