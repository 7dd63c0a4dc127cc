"""The files of a commit in a folder, without what lies in the work tree beside them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from switchover.adapters.git_program import open_checkout, run
from switchover.errors import TargetError


def export_commit(root: Path, commit: str, paths: tuple[str, ...], folder: Path) -> None:
    """Write `paths` (none: everything) of `commit` below `folder`, at the places that they have below `root`.

    Every committed file is there, whatever `.gitattributes` says of archives, and of a sparse checkout too. Raises
    `TargetError` for a link that leads out of the export.
    """
    git = open_checkout(root)
    prefix = run(git, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory(prefix="switchover-export-") as made:
        index = {"GIT_INDEX_FILE": str(Path(made) / "index")}
        tree = f"{commit}:{prefix}" if prefix else commit
        run(git, "-c", "core.sparseCheckout=false", "read-tree", tree, environment=index)
        listed = run(git, "ls-files", "-z", "--full-name", environment={**index, "GIT_WORK_TREE": str(folder)})
        wanted = [path for path in listed.split("\0") if path and _is_in(path, paths)]
        text = "".join(f"{path}\0" for path in wanted)
        target = f"--prefix={folder.resolve()}{os.sep}"
        run(git, "checkout-index", "--force", "-z", "--stdin", target, text=text, environment=index)
    _refuse_ways_out(folder, commit)


def read_commit_time(root: Path, commit: str) -> int:
    """When the commit was made, in seconds of the epoch."""
    return int(run(open_checkout(root), "log", "-1", "--format=%ct", commit))


def _is_in(path: str, paths: tuple[str, ...]) -> bool:
    return not paths or any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in paths)


def _refuse_ways_out(folder: Path, commit: str) -> None:
    """A link that leads out would bring files of this machine into an artifact."""
    top = folder.resolve()
    for place, folders, files in os.walk(folder):
        for path in (Path(place) / name for name in (*folders, *files)):
            if path.is_symlink() and not (path.parent / path.readlink()).resolve().is_relative_to(top):
                raise TargetError(
                    f"commit {commit[:12]} cannot be exported",
                    expected="files and links that stay within the repository",
                    found=f"{path.relative_to(folder)} → {path.readlink()}",
                    next_step="remove the link from the repository",
                )
