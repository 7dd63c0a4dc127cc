"""Release what changed: plan, commit the versions, test, build, scan, sign, publish, tag, and move what moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.names import name_release
from flows.release_hooks import tell_of_failure
from flows.release_stages import bring_out
from switchover.adapters.release_tools import read_release_scope
from switchover.config import FILE_NAME
from switchover.decide.plan_json import plan_to_json
from switchover.operations.progress import leave_out
from switchover.operations.release import ReleaseReport
from switchover.operations.release_report import report_to_json
from tasks.announce import announce_release, show_versions
from tasks.notify import tell_release
from tasks.publish import forget_marks
from tasks.release_scope import release_alone
from tasks.version_check import ask_registries, check_versions, commit_or_propose, prepare_checkout


@flow(
    name="release",
    flow_run_name=name_release,
    persist_result=False,
    on_failure=[tell_of_failure],
    on_crashed=[tell_of_failure],
)
def release(
    config: str = FILE_NAME,
    dry_run: bool = False,
    wait_seconds: float = 3600.0,
    fill_store: bool = False,
) -> dict[str, Any]:
    """Release every component whose version is new; a finished release that runs again does nothing.

    Returns the report that `switchover release --json` prints, for a dry run the plan.

    Args:
        config: Path of switchover.toml in the checkout to release.
        dry_run: Show the plan and stop.
        wait_seconds: How long to wait for another release of this repository to end.
        fill_store: Build again what is released and the store of this machine does not have.
    """
    scope = read_release_scope(Path(config))
    if dry_run:
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        return plan_to_json(plan.versions, plan.notices)

    with release_alone(scope, wait_seconds) as work:
        scope = prepare_checkout(scope, config)
        *_, resumed = bring_out(scope, ask_registries(scope, "", public=True), work)
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        commit, proposal = commit_or_propose(scope, plan)
        pending = leave_out(ask_registries(scope, commit, fill_store=fill_store), resumed)
        tested, sources, released = bring_out(scope, pending, work)

        # Told before it is forgotten that it was under way: a run that was killed here tells it again.
        done = (*resumed, *released)
        report = report_to_json(scope.project, ReleaseReport(plan, commit, proposal, tested, done, sources))
        announce_release(report)
        tell_release(scope, report)
        forget_marks(scope, done)
    return report
