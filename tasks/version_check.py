"""The first stage of a release: what would be released, and the commit that says so."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.operations.planning import ReleasePlan, plan_release
from switchover.operations.release import Pending, apply_versions, choose_pending
from tasks.repeating import worth_repeating


@task(
    name="version-check",
    task_run_name="version-check {scope.project}",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def check_versions(scope: ReleaseScope) -> ReleasePlan:
    """Plan the next versions. Changes nothing."""
    tools = open_release_tools(scope.root, scope.artifacts)
    return plan_release(tools.workspace, tools.history, scope.settings)


@task(
    name="commit-versions",
    task_run_name="commit-versions {scope.project}",
    retries=0,  # a commit that may have happened is found by planning again, not by committing again
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def commit_versions(scope: ReleaseScope, plan: ReleasePlan) -> str:
    """Commit the plan; return the hash, empty when no version moves."""
    return apply_versions(open_release_tools(scope.root, scope.artifacts), plan)


@task(
    name="ask-store",
    task_run_name="ask-store {scope.project}",
    retries=3,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def ask_store(scope: ReleaseScope, after_commit: str) -> tuple[Pending, ...]:
    """List what is not completely released, as of `after_commit` (empty: no version moved)."""
    _ = after_commit  # orders the tasks: asked before the commit, the answer would be another one
    return choose_pending(open_release_tools(scope.root, scope.artifacts), scope.settings)


@task(
    name="prepare-checkout",
    task_run_name="prepare-checkout {scope.project}",
    retries=0,  # a checkout with changes in it is a person's matter
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def prepare_checkout(scope: ReleaseScope) -> None:
    """Refuse a checkout with uncommitted changes, and finish what a killed release left in it."""
    open_release_tools(scope.root, scope.artifacts).history.require_clean()
