"""Children of the cluster: each with its log file, and every error with the end of that log."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from switchover.errors import TargetError

_LINES = 25
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Child:
    """One running program of the cluster."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def running(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, grace: float = 10.0) -> None:
        """Ask it to end, and end it when it has not done so after the grace."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.running():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start(
    name: str, command: Sequence[str | Path], *, logs: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Start a program in a session of its own; what it writes is appended to `<logs>/<name>.log`."""
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(os.environ if environment is None else environment),
            start_new_session=True,
        )
    return Child(name, process, log)


def run(command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> str:
    """What a short program writes on stdout. Raises `TargetError` with its stderr when it fails."""
    words = [str(part) for part in command]
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if result.returncode != 0:
        raise TargetError(
            f"{' '.join(words)} failed",
            expected="exit status 0",
            found=f"{result.returncode}: {(result.stderr or result.stdout).strip()[-2000:]}",
            next_step="read the message",
        )
    return result.stdout


def await_ready(child: Child, ready: Callable[[], bool], *, within: float, what: str = "ready") -> None:
    """Wait until `ready()` is true. Raises `TargetError` with the end of the log when the child ends or is late."""
    until = time.monotonic() + within
    while not ready():
        if not child.running() or time.monotonic() > until:
            state = f"still running after {within:.0f} s" if child.running() else f"ended with {child.process.poll()}"
            raise TargetError(
                f"{child.name} is not {what}",
                expected=f"it to be {what} within {within:.0f} s",
                found=f"{state}; its log ends with\n{tail(child.log)}",
                next_step=f"read {child.log}",
            )
        time.sleep(_LOOK_EVERY)


def tail(log: Path, lines: int = _LINES) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
