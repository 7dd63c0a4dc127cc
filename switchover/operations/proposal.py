"""The release pull request: the next versions as a branch, for people to merge when they want them out."""

from __future__ import annotations

from switchover.decide.edits import write_commit_message
from switchover.decide.plan_json import plan_to_markdown
from switchover.errors import InputError
from switchover.operations.planning import ReleasePlan
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.versioning import plan_rewriting

BRANCH = "switchover/release"


def propose_versions(tools: ReleaseTools, plan: ReleasePlan) -> str:
    """Have the one pull request say what the plan says; return its address, empty where no version moves.

    The branch is ours alone and is always one commit on top of what is checked out.
    """
    if tools.remote is None or tools.forge is None:
        raise InputError(
            "the next versions cannot be proposed",
            expected="`remote` and a section `release.github` in switchover.toml",
            found="no " + ("remote" if tools.remote is None else "section release.github"),
            next_step="add it, or let versions be committed",
        )
    if not tools.remote.is_level():
        raise InputError(
            "the next versions cannot be proposed",
            expected="a branch that the remote has as it is here",
            found="commits that were never pushed",
            next_step="push them, or bring the branch back: git status",
        )
    if not plan.versions.changes:
        return ""
    edits = plan_rewriting(tools.workspace, plan.packages, plan.versions).edits
    commit = tools.history.write_commit(edits, write_commit_message(plan.versions))
    tools.remote.push_commit(commit, BRANCH)
    names = [f"{each.name}@{each.new_version}" for each in plan.versions.changes]
    title = f"chore(release): {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    body = f"Merging this releases:\n\n{plan_to_markdown(plan.versions)}\n"
    return tools.forge.propose(BRANCH, tools.history.branch(), title, body)
