"""One lock file per environment, held only for the moment of a single effect.

Under the lock the ledger's epoch is compared with the caller's, so that 'am I still allowed?' and the effect
are one step: an older rollout's effect either came wholly before the newer epoch's first effect, or is
refused. The kernel frees the lock when its holder dies. A holder that is *stopped* (SIGSTOP, a debugger)
inside those few milliseconds would block a rollback for ever; it is killed, because it may wake up and finish
an effect that nobody wants any more.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from switchover.errors import BusyError, FencedError

_PATIENCE_SECONDS = 30.0
_STOPPED_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.01


class EnvironmentLock:
    """Mutual exclusion between the processes that change one environment on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Enter when nobody else is inside; raise `BusyError` after 30 s."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.open("a+", encoding="ascii") as file:
            self._lock(file)
            try:
                _write_holder(file)
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _lock(self, file: IO[str]) -> None:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = time.monotonic() - began
                holder = _read_holder(file)
                if waited > _STOPPED_PATIENCE_SECONDS:
                    _end_if_stopped(holder)
                if waited > _PATIENCE_SECONDS:
                    raise _stuck(self._path, holder) from None
                time.sleep(_POLL_SECONDS)
            else:
                return


class FileFence:
    """Port `Fence` for a target on this machine. `read_epoch` reads the ledger's."""

    def __init__(self, lock: EnvironmentLock, read_epoch: Callable[[], int]) -> None:
        self._lock = lock
        self._read_epoch = read_epoch

    @contextmanager
    def holding(self, epoch: int) -> Iterator[None]:
        """Enter only while `epoch` is the ledger's; raise `FencedError` otherwise."""
        with self._lock.held():
            current = self._read_epoch()
            if current != epoch:
                raise fenced(epoch, current)
            yield


def fenced(mine: int, current: int) -> FencedError:
    """The error of whoever comes too late."""
    return FencedError(
        "this rollout no longer owns the environment",
        expected=f"epoch {mine} to be the highest",
        found=f"epoch {current}: a rollback or a newer deployment took over",
        next_step="nothing; whoever took over brings the environment to one colour (see `switchover history`)",
    )


def _write_holder(file: IO[str]) -> None:
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()} {psutil.Process().create_time()}")
    file.flush()


def _read_holder(file: IO[str]) -> psutil.Process | None:
    file.seek(0)
    words = file.read().split()
    try:
        process = psutil.Process(int(words[0]))
        return process if process.create_time() == float(words[1]) else None
    except (IndexError, ValueError, psutil.Error):
        return None


def _end_if_stopped(holder: psutil.Process | None) -> None:
    try:
        if holder and holder.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            holder.kill()
    except psutil.Error:
        return


def _stuck(path: Path, holder: psutil.Process | None) -> BusyError:
    return BusyError(
        "the environment is locked",
        expected=f"{path} to be free within {_PATIENCE_SECONDS:.0f} s",
        found=f"held by process {holder.pid}" if holder else "held by an unknown process",
        next_step="end that process, then run this command again",
    )
