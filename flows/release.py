"""Release what changed: plan, commit the versions, build, scan, sign, publish, tag."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from prefect import flow, unmapped

from flows.names import name_release
from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.config import FILE_NAME
from switchover.decide.plan_json import plan_to_json
from switchover.operations.release import ReleaseReport, describe, require_passed
from switchover.operations.release_report import report_to_json
from tasks.announce import announce_release, show_versions
from tasks.build import build_component
from tasks.publish import publish_component, tag_component
from tasks.scan import scan_archive
from tasks.sign import sign_archive
from tasks.version_check import ask_store, check_versions, commit_versions, prepare_checkout


@flow(name="release", flow_run_name=name_release, persist_result=False)
def release(
    config: str = FILE_NAME,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Release every component whose version is new; a finished release that runs again does nothing.

    Returns the report that `switchover release --json` prints, for a dry run the plan.

    Args:
        config: Path of switchover.toml in the checkout to release.
        dry_run: Show the plan and stop.
    """
    scope = read_release_scope(Path(config))
    if dry_run:
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        return plan_to_json(plan.versions, plan.notices)

    with (
        open_release_tools(scope.root, scope.artifacts).history.alone(),
        tempfile.TemporaryDirectory(prefix="switchover-release-") as work,
    ):
        prepare_checkout(scope)
        plan = check_versions(scope)
        show_versions(scope.project, plan)
        commit = commit_versions(scope, plan)
        pending = ask_store(scope, commit)
        builds = build_component.map(unmapped(scope), pending, unmapped(Path(work))).result()
        components = [each.component for each in pending]

        scans = [scan_archive(scope, built) for built in builds]
        require_passed(zip(components, scans, strict=True))
        signs = [sign_archive(scope, built) for built in builds]
        require_passed(zip(components, (each.outcome for each in signs), strict=True))

        releases = [publish_component(scope, built, signed) for built, signed in zip(builds, signs, strict=True)]
        tags = [tag_component(scope, each, entry) for each, entry in zip(pending, releases, strict=True)]

    stages = zip(builds, scans, signs, releases, tags, strict=True)
    report = report_to_json(scope.project, ReleaseReport(plan, commit, tuple(describe(*each) for each in stages)))
    announce_release(report)
    return report
