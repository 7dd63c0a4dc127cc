"""Who holds the release lock of a shared repository: a commit without files whose message says it."""

from __future__ import annotations

import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from switchover.adapters.git_program import GitProgram, answers, run

# How far the clocks of two machines may differ: so much longer than it says a lock of another machine is respected.
CLOCK_DIFFERENCE_SECONDS = 30.0
_TITLE = "The release lock of switchover"
_LARGEST_BYTES = 10_000
_LONGEST_HOLDER = 200
_NAME = "switchover"
_SAME_START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LockRecord:
    """Who holds the lock and until when. Times are seconds of the epoch by the clock of `host`.

    `process`, `started` and `machine` identify the process to those who share its process numbers; `machine` is
    empty where the system cannot say that. `token` is the holder's own, `renewal` counts.
    """

    holder: str
    host: str
    process: int
    started: float
    machine: str
    since: float
    until: float
    token: str
    renewal: int = 0
    released: bool = False

    def __str__(self) -> str:
        """Name the holder as errors do."""
        times = f"since {write_time(self.since)}, until {write_time(self.until)} unless renewed"
        return f"{self.holder} (process {self.process} on {self.host}), {times}"

    def renewed(self, until: float) -> LockRecord:
        """The record of the same holder for another while."""
        return replace(self, until=until, renewal=self.renewal + 1)


def new_record(holder: str, now: float, term_seconds: float) -> LockRecord:
    """The record of this process."""
    process = psutil.Process()
    return LockRecord(
        holder=holder[:_LONGEST_HOLDER],
        host=platform.node(),
        process=process.pid,
        started=process.create_time(),
        machine=_read_machine(),
        since=now,
        until=now + term_seconds,
        token=secrets.token_hex(8),
    )


def is_over(record: LockRecord, now: float) -> bool:
    """Whether nobody holds the lock any more: given back, run out, or of a process of this machine that has died."""
    return record.released or now > record.until + CLOCK_DIFFERENCE_SECONDS or _has_died(record)


def write_record(program: GitProgram, record: LockRecord, now: float) -> str:
    """Make the commit of a record; nothing in the checkout points at it."""
    tree = run(program, "hash-object", "-t", "tree", "-w", "--stdin")
    names = {f"GIT_{role}_NAME": _NAME for role in ("AUTHOR", "COMMITTER")}
    addresses = {f"GIT_{role}_EMAIL": f"{_NAME}@localhost" for role in ("AUTHOR", "COMMITTER")}
    dates = {f"GIT_{role}_DATE": f"{int(now)} +0000" for role in ("AUTHOR", "COMMITTER")}
    message = f"{_TITLE}\n\n{json.dumps(asdict(record), indent=2)}\n"
    return run(program, "commit-tree", tree, text=message, environment={**names, **addresses, **dates})


def read_record(program: GitProgram, commit: str) -> LockRecord | None:
    """The record of a commit that the checkout has; None for anything that is no such record."""
    size = answers(program, "cat-file", "-s", commit)
    if not size.isdecimal() or int(size) > _LARGEST_BYTES:
        return None
    text = answers(program, "cat-file", "commit", commit)
    title, _, body = text.partition("\n\n")[2].partition("\n\n")
    try:
        values = json.loads(body)
        return _check(LockRecord(**values)) if title == _TITLE else None
    except (ValueError, TypeError):
        return None


def write_time(seconds: float) -> str:
    """A moment as people and logs write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(record: LockRecord) -> LockRecord:
    texts = (record.holder, record.host, record.machine, record.token)
    numbers = (record.started, record.since, record.until)
    if not all(isinstance(each, str) for each in texts) or not isinstance(record.released, bool):
        raise TypeError
    if type(record.process) is not int or type(record.renewal) is not int or record.process <= 0:
        raise TypeError
    if not all(type(each) in (int, float) and 0 <= each < 1e11 for each in numbers):  # noqa: PLR2004 till the year 5138
        raise ValueError
    return record


def _has_died(record: LockRecord) -> bool:
    """Asked only where the same process numbers are seen; anywhere else a lock ends by its time."""
    if not record.machine or record.machine != _read_machine():
        return False
    try:
        return abs(psutil.Process(record.process).create_time() - record.started) > _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _read_machine() -> str:
    """This start of this machine, and which process numbers are seen here; empty where it cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 it is no path, and no file has its name
    except OSError:
        return ""
