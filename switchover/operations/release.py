"""A release from beginning to end: plan, commit, test, build, scan, sign, publish, tag, page, moving tags.

Versions are committed first; from then on every place is asked what of it is not there yet.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchover.decide.edits import write_commit_message
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import BusyError, SwitchoverError
from switchover.operations.making import build, scan, sign
from switchover.operations.pending import Pending, choose_pending, group_pending
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release
from switchover.operations.progress import Progress, require_passed
from switchover.operations.proposal import propose_versions
from switchover.operations.publishing import finish, page, point, publish, report_findings, tag
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.versioning import plan_rewriting

# The stages that leave something behind.
CHANGING = ("publish", "tag", "page", "point")
_LOOK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """What a release did.

    `commit` is the release commit, empty when no version moved; `proposal` the address of the pull request where
    versions are proposed.
    """

    plan: ReleasePlan
    commit: str = ""
    proposal: str = ""
    tested: Outcome | None = None
    components: tuple[Progress, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was done; a finished release that runs again does nothing."""
        outcomes = [outcome for each in self.components for outcome in each.outcomes]
        return bool(self.commit) or any(isinstance(each, Done) and each.stage in CHANGING for each in outcomes)


@contextmanager
def alone(tools: ReleaseTools, wait_seconds: float = 0.0) -> Iterator[None]:
    """Be the only release of this repository, on this machine and at the remote.

    Waits for `wait_seconds` until the other one has ended; `BusyError` then. Nobody is ever cut short.
    """
    patience = tools.clock.now() + wait_seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_hold(tools))
                break
            except BusyError:
                if tools.clock.now() >= patience:
                    raise
                tools.clock.sleep(_LOOK_AGAIN_SECONDS)
        yield


@contextmanager
def _hold(tools: ReleaseTools) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(tools.history.alone())
        if tools.remote:
            stack.enter_context(tools.remote.alone(f"a release on {platform.node()}, process {os.getpid()}"))
        yield


def prepare(tools: ReleaseTools) -> None:
    """Refuse a checkout with uncommitted changes, finish what a killed release left in it, and catch up."""
    tools.history.require_clean()
    if tools.remote:
        tools.remote.catch_up()


def apply_versions(tools: ReleaseTools, plan: ReleasePlan) -> str:
    """Commit versions, changelogs and used changesets, and bring the branch to the remote; return the hash.

    It is empty when there is nothing to change. A commit that a killed release could not bring there goes now.
    """
    commit = ""
    if plan.versions.changes:
        edits = plan_rewriting(tools.workspace, plan.packages, plan.versions).edits
        commit = tools.history.commit_edits(edits, write_commit_message(plan.versions))
    if tools.remote:
        tools.remote.push_branch()
    return commit


def move_versions(tools: ReleaseTools, settings: ReleaseSettings, plan: ReleasePlan) -> tuple[str, str]:
    """Commit the plan, or propose it; return the release commit and the pull request, empty where there is none."""
    if settings.proposed:
        return "", propose_versions(tools, plan)
    return apply_versions(tools, plan), ""


def test(tools: ReleaseTools, pending: tuple[Pending, ...]) -> Outcome:
    """Run the repository's own tests on every commit that something is about to be built from."""
    commits = sorted({each.commit for each in pending if not each.done})
    if tools.tester is None:
        return Skipped("build-test", "no release.test in switchover.toml")
    if not commits:
        return Skipped("build-test", "nothing is to be built")
    for commit in commits:
        outcome = tools.tester.test(commit)
        if isinstance(outcome, Failed):
            raise SwitchoverError(
                "the release stops at: build-test",
                expected=f"that the tests pass on commit {commit[:12]}",
                found=outcome.reason,
                next_step="repair that, commit what changed and run again",
            )
    return Done("build-test", ", ".join(commit[:12] for commit in commits))


def release(tools: ReleaseTools, settings: ReleaseSettings, folder: Path, wait_seconds: float = 0.0) -> ReleaseReport:
    """Run every stage in this process. `folder` is where archives are made before they are stored."""
    with alone(tools, wait_seconds):
        prepare(tools)
        plan = plan_release(tools.workspace, tools.history, settings)
        commit, proposal = move_versions(tools, settings, plan)
        pending = choose_pending(tools, settings)
        tested = test(tools, pending)
        built = {each: build(tools, Progress(each), folder) for each in pending}
        scanned = {each: scan(tools, built[each], folder) for each in pending}
        for each in pending:
            report_findings(tools, scanned[each])
        signed = {each: sign(tools, require_passed(scanned[each])) for each in pending}
        groups = group_pending(plan.packages, [each for each in pending if require_passed(signed[each])])
        published = [publish(tools, signed[each]) for group in groups for each in group]
        tagged = [tag(tools, each) for each in published]
        paged = [page(tools, each, folder) for each in tagged]
        pointed = tuple(point(tools, each) for each in paged)
        finish(tools, pointed)
    return ReleaseReport(plan, commit, proposal, tested, pointed)
