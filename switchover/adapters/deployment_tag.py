"""The Git tag of a deployment, in the checkout that the deployment runs from. Nothing is pushed."""

from __future__ import annotations

from pathlib import Path

from switchover.adapters.git_history import GitHistory
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError, MissingProgramError
from switchover.model import HistoryEntry

_STAGE = "tag-deployment"


def tag_deployed(root: Path, environment: str, entry: HistoryEntry) -> Outcome:
    """Put `deployed/<environment>/<service>/<version>` at the release's commit; one that is there stays.

    A tag that cannot be put is a skip with the reason.
    """
    commit = entry.release.source_commit if entry.release else ""
    try:
        history = GitHistory(root)
    except (InputError, MissingProgramError) as error:
        return Skipped(_STAGE, error.problem.failed)
    if not commit or not history.has_commit(commit):
        return Skipped(_STAGE, f"the checkout does not have the commit {commit[:12] or 'of this release'}")
    tag = f"deployed/{environment}/{entry.service}/{entry.to_version}"
    try:
        put = history.tag(tag, commit, f"{entry.service} {entry.to_version} is live in {environment} ({entry.id})")
    except InputError as error:
        # What is live stays live: a tag that is elsewhere, or a key that is missing, is for a person to look at.
        return Skipped(_STAGE, f"{error.problem.failed}: {error.problem.found}")
    return Done(_STAGE, f"{tag} at {commit[:12]}") if put else Skipped(_STAGE, f"{tag} is there already")
