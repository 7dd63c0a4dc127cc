"""The report of a release as plain JSON values."""

from __future__ import annotations

from typing import Any

from switchover.operations.release import ComponentReport, ReleaseReport


def report_to_json(project: str, report: ReleaseReport) -> dict[str, Any]:
    """Build the document that the command line prints and the flow returns.

    `commit` is the release commit or empty; per component its stages and the digest, empty if not published.
    """
    return {
        "project": project,
        "changed": report.changed,
        "commit": report.commit,
        "components": [_component_to_json(each) for each in report.components],
        "notices": list(report.plan.notices),
    }


def _component_to_json(report: ComponentReport) -> dict[str, Any]:
    return {
        "name": report.component.name,
        "version": report.component.version,
        "kind": report.component.kind.value,
        "tag": report.component.tag,
        "digest": report.release.artifact.digest if report.release else "",
        "stages": {outcome.stage: str(outcome) for outcome in report.outcomes},
    }
