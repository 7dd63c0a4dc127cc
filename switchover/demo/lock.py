"""One demonstration at a time in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchover.errors import BusyError


@contextmanager
def hold_alone(folder: Path) -> Iterator[None]:
    """Keep other demonstrations out of `folder`; raise `BusyError` when there is one already.

    The system takes the lock back from whoever dies.
    """
    with (folder / "demo.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                "another demonstration is running here",
                expected=f"{folder} to be free",
                found="a process that holds its lock",
                next_step="wait for it, or run this one in another folder",
            ) from None
        yield
