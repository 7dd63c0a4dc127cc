"""The files of a commit in a folder, without what lies in the work tree beside them."""

from __future__ import annotations

import tarfile
from pathlib import Path

from switchover.adapters.git_program import open_checkout, run
from switchover.errors import TargetError


def export_commit(root: Path, commit: str, paths: tuple[str, ...], folder: Path) -> None:
    """Write `paths` (none: everything) of `commit` below `folder`, at the places that they have below `root`."""
    archive = folder / "export.tar"
    run(open_checkout(root), "archive", "--format=tar", f"--output={archive}", commit, *paths)
    with tarfile.open(archive) as tar:
        try:
            tar.extractall(folder, filter="data")
        except tarfile.FilterError as error:
            raise TargetError(
                f"commit {commit[:12]} cannot be exported",
                expected="files and links that stay within the repository",
                found=str(error),
                next_step="remove the link from the repository",
            ) from error
    archive.unlink()


def read_commit_time(root: Path, commit: str) -> int:
    """When the commit was made, in seconds of the epoch."""
    return int(run(open_checkout(root), "log", "-1", "--format=%ct", commit))
