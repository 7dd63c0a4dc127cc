"""The report of a release as plain JSON values."""

from __future__ import annotations

from typing import Any

from switchover.operations.progress import Progress
from switchover.operations.release import ReleaseReport


def report_to_json(project: str, report: ReleaseReport) -> dict[str, Any]:
    """Build the document that the command line prints and the flow returns.

    `commit` is the release commit or empty, `proposal` the pull request or empty; per component its stages, the
    digest, the reference at its destination and its page, each empty where there is none.
    """
    return {
        "project": project,
        "changed": report.changed,
        "commit": report.commit,
        "proposal": report.proposal,
        "tests": str(report.tested) if report.tested else "",
        "sources": str(report.sources) if report.sources else "",
        "components": [_component_to_json(each) for each in report.components],
        "notices": list(report.plan.notices),
    }


def _component_to_json(progress: Progress) -> dict[str, Any]:
    published, release = progress.published, progress.release
    return {
        "name": progress.component.name,
        "version": progress.component.version,
        "kind": progress.component.kind.value,
        "tag": progress.component.tag,
        "folder": progress.component.folder,
        "commit": progress.pending.commit,
        "digest": published.digest if published else release.artifact.digest if release else "",
        "reference": published.reference if published else "",
        "page": progress.page,
        "resumed": progress.pending.resumed,
        "stages": {outcome.stage: str(outcome) for outcome in progress.outcomes},
    }
