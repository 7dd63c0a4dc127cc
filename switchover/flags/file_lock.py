"""One writer of a file at a time, and what it is about to do, so that a crash leaves no change without its entry."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from switchover.errors import TargetError
from switchover.flags.file_trail import change_json, read_change
from switchover.flags.snapshot import Change

_PATIENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005


class FileLock:
    """A lock file that is held. It is empty unless its holder has died between the file and the trail."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def intend(self, changes: Sequence[Change]) -> None:
        """These changes are about to be in the file. Raises `OSError`."""
        self._file.write(json.dumps([change_json(change) for change in changes]).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def intended(self) -> tuple[Change, ...]:
        """What the holder before had intended and not done to the end. Raises `OSError`."""
        self._file.seek(0)
        content = self._file.read()
        try:
            return tuple(read_change(entry) for entry in json.loads(content)) if content else ()
        except (KeyError, TypeError, ValueError):
            # It died while it wrote this down, so it has not touched the file.
            return ()

    def done(self) -> None:
        """Nothing is left to do. Raises `OSError`."""
        self._file.truncate(0)


def lock_path(path: Path) -> Path:
    """Where the lock of a set stands."""
    return path.with_name(f"{path.name}.lock")


@contextmanager
def locked(path: Path) -> Iterator[FileLock]:
    """Hold the lock of the set in `path`, for which others are waited 5 s. Raises `OSError`, `TargetError`."""
    with lock_path(path).open("a+b") as file:
        _wait(path, file)
        try:
            yield FileLock(file)
        finally:
            # Not by closing: a child that was forked meanwhile has the file open too.
            fcntl.flock(file, fcntl.LOCK_UN)


def _wait(path: Path, file: IO[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TargetError(
                    f"the flag set in {path} is being changed by somebody else",
                    expected=f"the lock {file.name} within {_PATIENCE_SECONDS:g} s",
                    found="it is held all the time",
                    next_step="look for a process that hangs, then repeat",
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
