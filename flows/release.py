"""Release what changed: plan, commit the versions, test, build, scan, sign, publish, tag, and move what moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, unmapped

from flows.names import name_release
from flows.release_hooks import tell_of_failure
from switchover.adapters.release_tools import read_release_scope
from switchover.config import FILE_NAME
from switchover.decide.plan_json import plan_to_json
from switchover.operations.pending import group_pending
from switchover.operations.progress import require_passed
from switchover.operations.release import ReleaseReport
from switchover.operations.release_report import report_to_json
from tasks.announce import announce_release, show_versions
from tasks.build import build_component, test_commits
from tasks.notify import tell_release
from tasks.publish import forget_marks, make_page, move_pointers, publish_component, tag_component
from tasks.release_scope import release_alone
from tasks.scan import scan_component, show_findings
from tasks.sign import sign_component
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
) -> dict[str, Any]:
    """Release every component whose version is new; a finished release that runs again does nothing.

    Returns the report that `switchover release --json` prints, for a dry run the plan.

    Args:
        config: Path of switchover.toml in the checkout to release.
        dry_run: Show the plan and stop.
        wait_seconds: How long to wait for another release of this repository to end.
    """
    scope = read_release_scope(Path(config))
    if dry_run:
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        return plan_to_json(plan.versions, plan.notices)

    with release_alone(scope, wait_seconds) as work:
        prepare_checkout(scope)
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        commit, proposal = commit_or_propose(scope, plan)
        pending = ask_registries(scope, commit)
        tested = test_commits(scope, pending)

        built = build_component.map(unmapped(scope), pending, unmapped(tested), unmapped(work)).result()
        scanned = scan_component.map(unmapped(scope), built, unmapped(work)).result()
        show_findings.map(unmapped(scope), scanned).result()
        signed = sign_component.map(unmapped(scope), [require_passed(each) for each in scanned]).result()
        by_component = {each.component: require_passed(each) for each in signed}

        published = []
        for group in group_pending(plan.packages, pending):
            ready = [by_component[each.component] for each in group]
            published += publish_component.map(unmapped(scope), ready).result()

        tagged = tag_component.map(unmapped(scope), published).result()
        paged = make_page.map(unmapped(scope), tagged, unmapped(work)).result()
        pointed = tuple(move_pointers.map(unmapped(scope), paged).result())
        forget_marks(scope, pointed)

    report = report_to_json(scope.project, ReleaseReport(plan, commit, proposal, tested, pointed))
    announce_release(report)
    tell_release(scope, report)
    return report
