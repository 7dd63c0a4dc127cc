"""The first stage of a release: what would be released, and the commit or pull request that says so."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope, read_scope_again
from switchover.operations.pending import Pending, choose_pending
from switchover.operations.planning import ReleasePlan, plan_release
from switchover.operations.release import move_versions, prepare, share_commit
from tasks.release_scope import open_tools
from tasks.repeating import worth_repeating


@task(
    name="prepare-checkout",
    task_run_name="prepare-checkout {scope.project}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def prepare_checkout(scope: ReleaseScope, config: str) -> ReleaseScope:
    """Refuse a checkout with uncommitted changes, finish what a killed release left in it, catch up with the remote.

    Returns the scope as the configuration states it now: what was fetched may have brought another one.
    """
    prepare(open_tools(scope), scope.settings)
    return read_scope_again(scope, Path(config))


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
    tools = open_tools(scope)
    return plan_release(tools.workspace, tools.history, scope.settings)


@task(
    name="move-versions",
    task_run_name="move-versions {scope.project}",
    retries=0,  # a commit that may have happened is found by planning again, not by committing again
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def commit_or_propose(scope: ReleaseScope, plan: ReleasePlan) -> tuple[str, str]:
    """Commit the plan, or propose it; return commit and pull request, empty where there is none."""
    return move_versions(open_tools(scope), scope.settings, plan)


@task(
    name="ask-registries",
    task_run_name="ask-registries {scope.project}",
    retries=3,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=600,
    cache_policy=NO_CACHE,
)
def ask_registries(
    scope: ReleaseScope, after_commit: str, *, public: bool = False, fill_store: bool = False
) -> tuple[Pending, ...]:
    """List what is not completely released, as of `after_commit` (empty: no version moved).

    With `public` only what others can see already, with `fill_store` also what this machine has no bytes of.
    """
    _ = after_commit  # orders the tasks: asked before the commit, the answer would be another one
    return choose_pending(open_tools(scope), scope.settings, public=public, fill_store=fill_store)


@task(
    name="share-versions",
    task_run_name="share-versions {scope.project}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=300,
    cache_policy=NO_CACHE,
)
def share_versions(scope: ReleaseScope, pending: tuple[Pending, ...]) -> None:
    """Bring the release commit to the remote, now that everything passed, and note there what is being published."""
    share_commit(open_tools(scope), pending)
