"""The set as it was known last, in a file: what a process answers from while it starts and Redis is down.

The file has a line for the head and one for each part, so that writing 10 MB never holds the interpreter for long. It
appears by a rename, with mode 0600.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any, Final

from switchover.flags.redis_form import MOST_BYTES, MalformedError, StoredSet, is_part, read_json, write_json
from switchover.flags.snapshot import Json, Part, Snapshot

_log = logging.getLogger(__name__)
_FORMAT: Final = 1
_MOST_FILE_BYTES: Final = 2 * MOST_BYTES
_QUIET_SECONDS: Final = 0.5
_LATEST_SECONDS: Final = 5.0


def usual_path(place: str, set_name: str) -> Path | None:
    """`$XDG_STATE_HOME/switchover/flags/<set>-<digest of the place>.jsonl`, in `~/.local/state` where that is not set.

    None where there is no home. `place` must not hold a password.
    """
    chosen = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return state / "switchover" / "flags" / f"{set_name}-{hashlib.sha256(place.encode()).hexdigest()[:16]}.jsonl"


class LastKnownGood:
    """Keeps one set in a file. Nothing here raises: what cannot be read or written is logged, once for each reason."""

    def __init__(self, path: Path, set_name: str) -> None:
        self._path = path
        self._set_name = set_name
        self._said = ""
        self._waiting: StoredSet | None = None
        self._first = self._last = 0.0

    def note(self, stored: StoredSet, now: float) -> None:
        """This is to be kept as soon as it is quiet. `now` in seconds of any steady clock."""
        self._first = now if self._waiting is None else self._first
        self._last, self._waiting = now, stored

    def write_when_quiet(self, now: float) -> None:
        """Write what was noted, once nothing has changed for half a second, or after 5 s of changes."""
        if self._waiting and (now - self._last > _QUIET_SECONDS or now - self._first > _LATEST_SECONDS):
            self.flush()

    def flush(self) -> None:
        """Write what was noted and is not written yet."""
        if self._waiting:
            self.write(self._waiting)
        self._waiting = None

    def read(self) -> StoredSet | None:
        """The set; None where there is no file, or it is broken, or it is that of another set."""
        try:
            text = self._read_text()
            return None if text is None else self._parse(text)
        except (OSError, ValueError) as error:
            self._say(f"{self._path} is not used: {error}")
            return None

    def age_seconds(self) -> float | None:
        """How long ago the file was written, and the place was heard of at the latest; None where there is no file."""
        try:
            return max(0.0, time.time() - self._path.stat().st_mtime)
        except OSError:
            return None

    def write(self, stored: StoredSet) -> bool:
        """Replace the file, unless it holds that very state (another process of this host has written it).

        Returns whether the state is in the file now.
        """
        head = self._head(stored)
        try:
            if self._read_first_line() != head:
                self._replace(head, stored)
        except (OSError, ValueError) as error:
            self._say(f"{self._path} cannot be written: {error}")
            return False
        self._said = ""
        return True

    def _read_text(self) -> str | None:
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_FILE_BYTES:
                    raise MalformedError(f"no regular file of at most {_MOST_FILE_BYTES} bytes")
                return file.read().decode()
        except FileNotFoundError:
            return None

    def _parse(self, text: str) -> StoredSet:
        first, *lines = text.split("\n")
        head = read_json(first)
        if not isinstance(head, dict) or (head.get("format"), head.get("set")) != (_FORMAT, self._set_name):
            raise MalformedError(f"no set {self._set_name} in format {_FORMAT}")
        parts = dict(_read_part(line) for line in lines if line)
        version = head.get("version")
        if not isinstance(version, int) or version < 1 or len(parts) != head.get("parts"):
            raise MalformedError("it does not hold what its first line says")
        return StoredSet(Snapshot(version, str(head.get("lineage")), parts), str(head.get("mark")))

    def _head(self, stored: StoredSet) -> str:
        ours = stored.snapshot
        return write_json(
            {
                "format": _FORMAT,
                "set": self._set_name,
                "version": ours.version,
                "lineage": ours.lineage,
                "mark": stored.mark,
                "parts": len(ours.parts),
            }
        )

    def _read_first_line(self) -> str | None:
        try:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                return file.readline(10_000).rstrip("\n")
        except FileNotFoundError:
            return None

    def _replace(self, head: str, stored: StoredSet) -> None:
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}-{threading.get_ident()}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{head}\n")
                for part, value in stored.snapshot.parts.items():
                    file.write(f"{json.dumps([part, value], separators=(',', ':'))}\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(folder)

    def _say(self, what: str) -> None:
        if what != self._said:
            _log.warning("last known flags: %s", what)
        self._said = what


def _read_part(line: str) -> tuple[Part, Json]:
    pair: Any = read_json(line)
    if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and is_part(pair[0])):  # noqa: PLR2004
        raise MalformedError("a line is no part with its value")
    return pair[0], pair[1]


def _sync_folder(folder: Path) -> None:
    """So that the new name survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
