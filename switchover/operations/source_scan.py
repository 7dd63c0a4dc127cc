"""What the repository itself holds is judged before anything is built of it: lock files are in no artifact."""

from __future__ import annotations

from pathlib import Path

from switchover.decide.components import ComponentKind
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import SwitchoverError
from switchover.operations.pending import Pending
from switchover.operations.release_ports import ReleaseTools, Scanned

STAGE = "scan-sources"


def scan_sources(tools: ReleaseTools, pending: tuple[Pending, ...], folder: Path) -> Outcome:
    """Judge the files of every commit that something is about to be built from; reports go below `folder`.

    The forge is shown the findings, whether they stop the release or not. Raises `SwitchoverError` where they do.
    """
    built = [each for each in pending if not each.done and each.component.kind is not ComponentKind.TAG]
    if tools.source_scanner is None:
        return Skipped(STAGE, "turned off in switchover.toml")
    if not built:
        return Skipped(STAGE, "nothing is to be built")
    told: list[str] = []
    for commit in sorted({each.commit for each in built}):
        scanned = tools.source_scanner.scan_commit(commit, folder / "sources" / commit[:12])
        shown = _show(tools, scanned, commit)
        if isinstance(scanned.outcome, Failed):
            raise SwitchoverError(
                f"the release stops at: {STAGE}",
                expected=f"that nothing in the files of commit {commit[:12]} blocks",
                found=scanned.outcome.reason,
                next_step="repair that, commit what changed and run again; what does no harm is named in "
                "release.scan.ignore for a time, and what is released with nothing in release.scan.sources_skip",
            )
        told += [f"{commit[:12]} {scanned.outcome.detail if isinstance(scanned.outcome, Done) else scanned.outcome}"]
        told += [f"code scanning {shown}"] if shown else []
    return Done(STAGE, "; ".join(told))


def _show(tools: ReleaseTools, scanned: Scanned, commit: str) -> Outcome | None:
    """Show the findings where the code is looked at; None where nobody does, or nothing was written."""
    if tools.forge is None or not tools.shows_findings or scanned.sarif is None:
        return None
    return tools.forge.upload_sarif(scanned.sarif, commit, f"refs/heads/{tools.history.branch()}")
