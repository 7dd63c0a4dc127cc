"""The parent of one replica. Started by the supervisor as a program of its own; imports the standard library only.

    python -I -S replica_runner.py <specification.json>

It starts the command with exactly the environment that the specification names, appends spawn and exit to a
JSON-lines file, enforces the memory limit, passes SIGTERM on to the whole process group of the command, sends
SIGKILL after `stop_seconds`, and leaves no process of that group behind. Secrets come from its own environment,
by name; they are in no file and in no argument.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# Nothing else of the operator's environment reaches a replica.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE")
_MARK = "SWITCHOVER_ENVIRONMENT"
_NOT_CONFIGURED = 78
_NOT_STARTED = 127
_SIGNALLED = 128
_PR_SET_PDEATHSIG = 1
_MEMORY_POLL_SECONDS = 1.0
_MEGABYTE = 1024 * 1024


class ReplicaRunner:
    """One life of one replica."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self._spec = specification
        self._asked = False
        self._out_of_memory = False
        self._kill_at: float | None = None

    def run(self) -> int:
        """Start the command and return its exit status, 128 + n when signal n ended it."""
        self._record(event="spawn", daemon=os.getppid())
        missing = [name for name in self._spec["secret_variables"] if name not in os.environ]
        if missing:
            return self._give_up(_NOT_CONFIGURED, f"not set for the supervisor: {', '.join(missing)}")
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            child = self._start()
        except OSError as error:
            return self._give_up(_NOT_STARTED, f"cannot start {self._spec['command'][0]}: {error.strerror}")
        return self._watch(child, reader)

    def _watch(self, child: subprocess.Popen[bytes], reader: int) -> int:
        told = False
        while child.poll() is None:
            if self._asked and not told:
                told = True
                self._kill_at = time.monotonic() + self._spec["stop_seconds"]
                _signal_group(child.pid, signal.SIGTERM)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                _signal_group(child.pid, signal.SIGKILL)
            limit = self._spec["memory_limit_mb"]
            if limit is not None and _resident_bytes(child.pid) > limit * _MEGABYTE:
                self._out_of_memory = True
                _signal_group(child.pid, signal.SIGKILL)
            if select.select([reader], [], [], self._patience())[0]:
                os.read(reader, 512)
        _signal_group(child.pid, signal.SIGKILL)
        code = child.returncode
        self._record(
            event="exit",
            pid=child.pid,
            status=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            asked=self._asked,
            out_of_memory=self._out_of_memory,
        )
        return code if code >= 0 else _SIGNALLED - code

    def _patience(self) -> float | None:
        if self._kill_at is not None:
            return max(0.05, self._kill_at - time.monotonic())
        return None if self._spec["memory_limit_mb"] is None else _MEMORY_POLL_SECONDS

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in (*_PASSED_ON, _MARK) if name in os.environ}
        environment |= self._spec["environment"]
        environment |= {name: os.environ[name] for name in self._spec["secret_variables"]}
        return subprocess.Popen(
            self._spec["command"],
            cwd=self._spec["folder"],
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
        )

    def _stop(self, *_: object) -> None:
        self._asked = True

    def _give_up(self, status: int, why: str) -> int:
        sys.stderr.write(f"ERROR {why}\n")
        self._record(event="exit", pid=None, status=status, signal=None, asked=False, out_of_memory=False, why=why)
        return status

    def _record(self, **fields: object) -> None:
        line = json.dumps({"at": time.time(), "replica": self._spec["replica"], **fields})
        with Path(self._spec["events"]).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _die_with_parent() -> None:
    # Linux only: a replica whose runner was killed must not keep the port. Elsewhere the next start ends it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in it


def _resident_bytes(group: int) -> int:
    if Path("/proc/self/stat").exists():
        return sum(_resident_in_proc(entry, group) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    listing = subprocess.run(["/bin/ps", "-A", "-o", "pgid=,rss="], capture_output=True, check=False).stdout
    rows = (line.split() for line in listing.decode().splitlines())
    return sum(int(rss) * 1024 for pgid, rss in rows if int(pgid) == group)


def _resident_in_proc(process: Path, group: int) -> int:
    try:
        fields = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if int(fields[2]) == group else 0


if __name__ == "__main__":
    sys.exit(ReplicaRunner(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run())
