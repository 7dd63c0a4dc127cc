"""The log files of a slot's replicas: counting lines across rotation, and reading the end."""

from __future__ import annotations

import os
import re
from pathlib import Path

from switchover.adapters.private_files import read_json_or_none, write_private_json
from switchover.adapters.supervisor_config import LOG_BACKUPS

_TAIL_BYTES = 65536
_OUT_OF_MEMORY = re.compile(rb"^MemoryError\b|heap out of memory|OutOfMemoryError", re.MULTILINE)


def count_log_lines(logs: tuple[Path, ...], error_pattern: str, cursors: Path) -> tuple[int, int]:
    """Whole lines, and those that `error_pattern` is found in, since the logs began.

    How far each log was read is kept in the file `cursors`, so a count goes on across rotations and processes,
    and costs only what was written since. Lines that were rotated away between two counts are lost.
    """
    pattern = re.compile(error_pattern.encode())
    known = read_json_or_none(cursors) or {}
    fresh = {log.name: _advance(log, pattern, known.get(log.name)) for log in logs}
    write_private_json(cursors, fresh)
    return sum(one["lines"] for one in fresh.values()), sum(one["errors"] for one in fresh.values())


def read_log_end(logs: tuple[Path, ...], lines: int) -> tuple[str, ...]:
    """The last lines of the log that was written to last."""
    present = [log for log in logs if log.exists() and log.stat().st_size]
    if not present or lines <= 0:
        return ()
    newest = max(present, key=lambda log: log.stat().st_mtime)
    return tuple(_end(newest).decode(errors="replace").splitlines()[-lines:])


def tells_of_no_memory(log: Path) -> bool:
    """Whether the end of a log says that a runtime (Python, Node, the JVM) found no memory."""
    return log.exists() and _OUT_OF_MEMORY.search(_end(log)) is not None


def _end(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read()


def _advance(log: Path, pattern: re.Pattern[bytes], cursor: dict[str, int] | None) -> dict[str, int]:
    state = cursor or {"inode": 0, "offset": 0, "lines": 0, "errors": 0}
    backups = (log.with_name(f"{log.name}.{number}") for number in range(LOG_BACKUPS, 0, -1))
    files = [file for file in (*backups, log) if file.exists()]
    inodes = [file.stat().st_ino for file in files]
    begun = inodes.index(state["inode"]) if state["inode"] in inodes else 0
    for file in files[begun:]:
        with file.open("rb") as opened:
            inode = os.fstat(opened.fileno()).st_ino
            offset = state["offset"] if inode == state["inode"] else 0
            opened.seek(offset)
            whole = opened.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        errors = sum(1 for line in whole.splitlines() if pattern.search(line))
        state = {
            "inode": inode,
            "offset": offset + len(whole),
            "lines": state["lines"] + whole.count(b"\n"),
            "errors": state["errors"] + errors,
        }
    return state
