"""The folder of one run, who holds it, and what is left when its holder was killed."""

import contextlib
import fcntl
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from switchover.errors import InputError
from tests.cluster import cgroups, namespaces
from tests.cluster.cache import say
from tests.cluster.command import exit_status

_PREFIX = "switchover-cluster-"
_FIRST_PROCESS = "first-process"
FACTS = "cluster.json"
LOGS = "logs"
NEWEST = Path("newest")
_GRACE = 30.0
_PAUSE = 5.0
_LOOK_EVERY = 0.02


@contextmanager
def made(keep_logs: Path | None = None) -> Iterator[Path]:
    """A new folder and its control group, both removed at the end; held so that nobody else removes them.

    The logs in it are copied to `keep_logs` before.
    """
    unheld = Path(tempfile.mkdtemp(prefix="switchover-new-"))
    with (unheld / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = unheld.with_name(unheld.name.replace("switchover-new-", _PREFIX))
        unheld.rename(folder)
        try:
            cgroups.make(folder.name)
            yield folder
        finally:
            if keep_logs is not None and (folder / LOGS).exists():
                shutil.copytree(folder / LOGS, keep_logs, dirs_exist_ok=True)
            _remove(folder)


def cgroup(folder: Path) -> str:
    """The control group of the pods, as the kubelet wants it named."""
    return f"/{folder.name}"


def hold(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait until the cluster's first process ends, and have it end when we are asked to. Its exit status.

    SIGTERM ends the command with SIGTERM. SIGINT does so some seconds later: a terminal has sent it to the command
    too, which may have something to say. What does not end then is killed, and the whole cluster with it.
    """

    def kill(_number: int, _frame: FrameType | None) -> None:
        process.kill()

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, kill)
        signal.setitimer(signal.ITIMER_REAL, _GRACE)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()

    def end_soon(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, _PAUSE)

    children: list[psutil.Process] = []
    try:
        children += _children(process)
        (folder / _FIRST_PROCESS).write_text(" ".join(str(child.pid) for child in children))
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end_soon)
        status = process.wait()
    finally:
        process.kill()
        psutil.wait_procs(children, timeout=_GRACE)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return exit_status(status)


def running() -> Path:
    """The folder of the cluster that is up on this machine, the newest where there are several."""
    found = [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if (path / FACTS).exists()]
    if not found:
        raise InputError(
            "no cluster can be entered",
            expected="one that is up",
            found=f"no {_PREFIX}*/{FACTS} in {tempfile.gettempdir()}",
            next_step="make one: python -m tests.cluster.run -- sleep 7200",
        )
    return max(found, key=lambda path: (path / FACTS).stat().st_mtime)


def enter(folder: Path, command: Sequence[str]) -> list[str]:
    """The command that runs a command in the cluster of this folder."""
    return namespaces.enter(_first_process(folder), command)


def _first_process(folder: Path) -> int:
    return int((folder / _FIRST_PROCESS).read_text())


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        while process.poll() is None:
            if children := parent.children():
                return children
            time.sleep(_LOOK_EVERY)
    return []


def remove_stale() -> None:
    """Remove what a holder that was killed left behind: its processes and mounts ended with it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            say(f"removing {folder}, left by a run that was killed")
            _remove(folder)


def _remove(folder: Path) -> None:
    for left in cgroups.remove(folder.name):
        say(f"{left} could not be removed")
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        say(f"{folder} could not be removed")
