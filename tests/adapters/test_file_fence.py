from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from switchover.adapters.file_fence import EnvironmentLock, FileFence
from switchover.errors import FencedError


def test_the_current_epoch_enters_and_an_older_one_is_fenced(tmp_path: Path) -> None:
    fence = FileFence(EnvironmentLock(tmp_path / "lock"), lambda: 4)
    with fence.holding(4):
        pass
    with pytest.raises(FencedError, match="no longer owns"), fence.holding(3):
        pytest.fail("an older epoch must not enter")


def test_the_epoch_is_read_under_the_lock(tmp_path: Path) -> None:
    lock = EnvironmentLock(tmp_path / "lock")
    holder = start_holder(tmp_path)
    epochs = iter([5])

    def read_epoch() -> int:
        assert holder.poll() is not None, "read while another process was inside"
        return next(epochs)

    holder.terminate()
    with pytest.raises(FencedError), FileFence(lock, read_epoch).holding(4):
        pytest.fail("fenced")
    holder.wait()


def start_holder(folder: Path) -> subprocess.Popen[str]:
    """A process that is inside the lock until it is ended."""
    program = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from switchover.adapters.file_fence import EnvironmentLock
        with EnvironmentLock(Path({str(folder / "lock")!r})).held():
            print("inside", flush=True)
            time.sleep(600)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    return process


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    holder.kill()
    holder.wait()
    with EnvironmentLock(tmp_path / "lock").held():
        pass


def test_a_holder_that_was_stopped_inside_is_ended_so_that_it_cannot_finish_later(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    os.kill(holder.pid, signal.SIGSTOP)
    with EnvironmentLock(tmp_path / "lock").held():
        assert holder.wait(timeout=10) == -signal.SIGKILL
