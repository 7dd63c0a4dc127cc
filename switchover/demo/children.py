"""Processes of the demonstration. Each carries a mark, so that what a killed demonstration left can be found."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from switchover.adapters.processes import end_processes
from switchover.errors import TargetError

MARK = "SWITCHOVER_DEMO"
_TAIL_BYTES = 4096
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Crew:
    """Starts marked processes: `folder` is where they run, `environ` what they see, `logs` what they write."""

    key: str
    folder: Path
    environ: Mapping[str, str]
    logs: Path

    @classmethod
    def of(cls, work: Path, folder: Path, environ: Mapping[str, str], logs: Path) -> Crew:
        """The crew of the demonstration that keeps its state in `work`."""
        return cls(hashlib.sha256(str(work.resolve()).encode()).hexdigest()[:12], folder, environ, logs)

    def start(self, name: str, command: Sequence[str], *, talks: bool = False) -> Child:
        """Start a process in a session of its own, so that Ctrl-C reaches only who is in charge of all."""
        log = self.logs / f"{name}.log"
        pipe = subprocess.PIPE if talks else None
        with log.open("ab") as out:
            process = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env={**self.environ, MARK: self.key},
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or out,
                stderr=out,
                start_new_session=True,
            )
        return Child(name, process, log)

    def find(self) -> tuple[int, ...]:
        """The ids of all living processes of this crew, also of an earlier demonstration in the same folder."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(MARK) == self.key and process.status() != psutil.STATUS_ZOMBIE
            except (psutil.Error, OSError):
                continue  # not ours to read, or gone meanwhile
            if marked and process.pid != os.getpid():
                found.append(process.pid)
        return tuple(sorted(found))


@dataclass(slots=True)
class Child:
    """One running process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self.process.poll() is None

    @property
    def answers(self) -> IO[bytes]:
        """Where it talks to us."""
        return _pipe(self.process.stdout)

    @property
    def orders(self) -> IO[bytes]:
        """Where we talk to it."""
        return _pipe(self.process.stdin)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """SIGTERM to it and to what it started, SIGKILL to what is left after 5 s. Repeating is a no-op."""
        if self.running:
            try:
                below = [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                below = []
            end_processes([self.pid, *below])
        self.process.wait()

    def wait(self, within_seconds: float) -> int | None:
        """Its exit status; None when it still runs after that time."""
        ends = time.monotonic() + within_seconds
        while self.running and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        return self.process.poll()

    def read_log_tail(self, lines: int = 3) -> str:
        """The last lines of its log."""
        text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else ""
        return " | ".join(text.strip().splitlines()[-lines:]) or "silence"

    def trouble(self, expected: str) -> TargetError:
        """The error that this process ended or fell silent."""
        status = self.process.poll()
        found = f"it ended with status {status}" if status is not None else "it runs and says nothing"
        return TargetError(
            f"the demonstration's {self.name} failed",
            expected=expected,
            found=f"{found}; log: {self.read_log_tail()}",
            next_step=f"look at {self.log}, then run the demonstration again",
        )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        msg = "this process was started without a pipe"
        raise ValueError(msg)
    return pipe
