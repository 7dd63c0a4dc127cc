"""What the repository itself holds is judged before anything is built of it: lock files are in no artifact."""

from __future__ import annotations

from pathlib import Path

from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import SwitchoverError
from switchover.operations.pending import Pending, list_built_commits
from switchover.operations.release_ports import ReleaseTools

STAGE = "scan-sources"


def scan_sources(tools: ReleaseTools, pending: tuple[Pending, ...], folder: Path) -> Outcome:
    """Judge the files of every commit that something is about to be built from; reports go below `folder`.

    Raises `SwitchoverError` where a finding stops the release.
    """
    commits = list_built_commits(pending)
    if tools.source_scanner is None:
        return Skipped(STAGE, "turned off in switchover.toml")
    if not commits:
        return Skipped(STAGE, "nothing is to be built")
    told: list[str] = []
    for commit in commits:
        scanned = tools.source_scanner.scan_commit(commit, _folder_of(commit, folder))
        if isinstance(scanned.outcome, Failed):
            raise SwitchoverError(
                f"the release stops at: {STAGE}",
                expected=f"that nothing in the files of commit {commit[:12]} blocks",
                found=scanned.outcome.reason,
                next_step="repair that, commit what changed and run again; what does no harm is named in "
                "release.scan.ignore for a time, and what is released with nothing in release.scan.sources_skip",
            )
        told += [f"{commit[:12]}: {scanned.outcome.detail if isinstance(scanned.outcome, Done) else scanned.outcome}"]
    return Done(STAGE, "; ".join(told))


def show_sources(tools: ReleaseTools, pending: tuple[Pending, ...], folder: Path) -> None:
    """Show what was found where the code is looked at. The forge must know the commits by now."""
    if tools.forge is None or not tools.shows_findings:
        return
    for commit in list_built_commits(pending):
        for sarif in sorted(_folder_of(commit, folder).glob("*.sarif")):
            tools.forge.upload_sarif(sarif, commit, f"refs/heads/{tools.history.branch()}")


def _folder_of(commit: str, folder: Path) -> Path:
    return folder / "sources" / commit[:12]
