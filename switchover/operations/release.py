"""A release from beginning to end: plan, commit, test, build, scan, sign, publish, tag, page, moving tags.

Versions are committed first; from then on every place is asked what of it is not there yet.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from switchover.decide.components import write_next_tag
from switchover.decide.edits import write_commit_message
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import BusyError, InputError, SwitchoverError
from switchover.operations.making import build, scan, sign
from switchover.operations.pending import Pending, choose_pending, list_built_commits
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release
from switchover.operations.progress import Progress, leave_out, require_passed
from switchover.operations.proposal import propose_versions
from switchover.operations.publishing import finish, forget_stale, point, publish, report_findings, tag
from switchover.operations.release_page import group_by_tag, page
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.source_scan import scan_sources, show_sources
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
    sources: Outcome | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was done; a finished release that runs again does nothing."""
        outcomes = [outcome for each in self.components for outcome in each.outcomes]
        finished = any(each.pending.resumed and (each.published or each.release) for each in self.components)
        return (
            bool(self.commit) or finished or any(isinstance(each, Done) and each.stage in CHANGING for each in outcomes)
        )


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


def prepare(tools: ReleaseTools, settings: ReleaseSettings) -> None:
    """Refuse a checkout with uncommitted changes, finish what a killed release left in it, and catch up."""
    tools.history.require_clean()
    branch = tools.history.branch()
    if settings.branches and not any(fnmatchcase(branch, pattern) for pattern in settings.branches):
        raise InputError(
            f"the branch {branch} is not released from",
            expected=f"one of {', '.join(settings.branches)}",
            found=branch,
            next_step="check out one of them, or add this one to release.branches",
        )
    if tools.remote:
        tools.remote.catch_up()


def apply_versions(tools: ReleaseTools, plan: ReleasePlan) -> str:
    """Commit versions, changelogs and used changesets here; return the hash, empty when there is nothing to change.

    Nobody else sees it until `share_commit`: what a test or a scan refuses leaves the shared branch as it is, and the
    next `prepare` takes the commit back.
    """
    if not plan.versions.changes:
        return ""
    edits = plan_rewriting(tools.workspace, plan.packages, plan.versions).edits
    return tools.history.commit_edits(edits, write_commit_message(plan.versions))


def share_commit(tools: ReleaseTools, pending: tuple[Pending, ...]) -> None:
    """Bring the branch to the remote, and the marks of what is about to be published; `BusyError` when it has moved."""
    if tools.remote:
        tools.remote.push_branch()
        tools.remote.push_marks(tuple(each.component.tag for each in pending))


def refuse_taken(tools: ReleaseTools, plan: ReleasePlan) -> None:
    """Raise `InputError` where a version that is to come was released already, from another branch for example."""
    remote_tags = tools.remote.read_tags() if tools.remote and plan.versions.changes else {}
    components = {component.package: component for component in plan.components}
    for change in plan.versions.changes:
        component = components.get(change.name)
        tag = write_next_tag(component, change.new_version) if component else ""
        if tag and (tools.history.has_tag(tag) or tag in remote_tags):
            raise InputError(
                f"{change.name}@{change.new_version} was released before",
                expected=f"no tag {tag} yet",
                found="one, of a commit that this branch does not contain",
                next_step="bring the branch up to date with the one that was released from, or ask for a higher "
                "version with a changeset",
            )


def move_versions(tools: ReleaseTools, settings: ReleaseSettings, plan: ReleasePlan) -> tuple[str, str]:
    """Commit the plan, or propose it; return the release commit and the pull request, empty where there is none."""
    refuse_taken(tools, plan)
    if settings.proposed:
        return "", propose_versions(tools, plan)
    return apply_versions(tools, plan), ""


def test(tools: ReleaseTools, pending: tuple[Pending, ...]) -> Outcome:
    """Run the repository's own tests on every commit that something is about to be built from."""
    commits = list_built_commits(pending)
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


def bring_out(
    tools: ReleaseTools, pending: tuple[Pending, ...], folder: Path
) -> tuple[Outcome, Outcome, tuple[Progress, ...]]:
    """Take these components through every stage, one stage after the other.

    Returns what became of the tests, of the scan of the sources, and of each component.
    """
    if not pending:
        idle = "nothing is to be built"
        return Skipped("build-test", idle), Skipped("scan-sources", idle), ()
    tested = test(tools, pending)
    sources = scan_sources(tools, pending, folder)
    built = [build(tools, Progress(each), folder) for each in pending]
    scanned = [scan(tools, each, folder) for each in built]
    passed = require_passed(scanned, "scan")
    share_commit(tools, pending)
    show_sources(tools, pending, folder)
    shown = [report_findings(tools, each) for each in passed]
    signed = [sign(tools, each) for each in shown]
    published = [publish(tools, each) for each in require_passed(signed, "sign")]
    tagged = [tag(tools, each) for each in published]
    paged = [each for group in group_by_tag(tagged) for each in page(tools, group, folder)]
    return tested, sources, tuple(point(tools, each) for each in paged)


def release(
    reopen: Callable[[], tuple[ReleaseTools, ReleaseSettings]],
    folder: Path,
    wait_seconds: float = 0.0,
    *,
    fill_store: bool = False,
) -> ReleaseReport:
    """Run every stage in this process. `folder` is where archives are made before they are stored.

    `reopen` reads the configuration; it is called again when the checkout has caught up with the remote, which may
    have brought another one. What others can see already is finished before any version moves on.
    """
    tools, settings = reopen()
    with alone(tools, wait_seconds):
        prepare(tools, settings)
        tools, settings = reopen()
        *_, resumed = bring_out(tools, choose_pending(tools, settings, public=True), folder)
        if resumed:
            finish(tools, resumed)
        plan = plan_release(tools.workspace, tools.history, settings)
        commit, proposal = move_versions(tools, settings, plan)
        tested, sources, released = bring_out(
            tools, leave_out(choose_pending(tools, settings, fill_store=fill_store), resumed), folder
        )
        finish(tools, released)
        forget_stale(tools, settings)
    return ReleaseReport(plan, commit, proposal, tested, (*resumed, *released), sources)
