"""What a snapshot of a checkout is made of: the moment, the commit, and the tag that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from switchover.adapters.git_program import open_checkout, run
from switchover.decide.snapshot import Snapshot


def take_snapshot(root: Path, tag: str) -> Snapshot:
    """The snapshot of the commit that is checked out in `root`, now; an empty `tag` is none."""
    commit = run(open_checkout(root), "rev-parse", "HEAD")
    return Snapshot(int(datetime.now(UTC).timestamp() * 1000), commit, tag or None)
