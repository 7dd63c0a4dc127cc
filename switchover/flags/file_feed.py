"""Watches a flag set in a file: one that is edited, replaced, or swapped below a symbolic link (a ConfigMap)."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Final, TypeAlias

from switchover.errors import LedgerUnreadableError
from switchover.flags.complaints import name_answers
from switchover.flags.file_document import digest_of
from switchover.flags.file_store import look
from switchover.flags.ports import Listener
from switchover.flags.snapshot import Snapshot

_JOIN_SECONDS: Final = 3.0

# A file may change twice within one tick of its clock: it is read so often again after it has changed.
_REREADS: Final = 2

_log = logging.getLogger(__name__)

_Mark: TypeAlias = tuple[int, ...]


class FileFeed:
    """Port `FlagFeed`. Looks at the file every `interval_seconds`.

    While the file is broken, half-written, too big or gone, the listener keeps what it has.
    """

    def __init__(self, path: Path | str, *, interval_seconds: float = 0.2) -> None:
        self._path = Path(path)
        self._interval = interval_seconds
        self._mark: _Mark = ()
        self._rereads = 0
        self._state: tuple[int, str, str] | None = None
        self._lost = ""
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def __repr__(self) -> str:
        return f"FileFeed({str(self._path)!r})"

    def start(self, listener: Listener) -> None:
        """Hand over what is in the file now and watch it. In a forked child too."""
        # A child must not believe what is noted here: the parent's thread may have been about to tell its listener.
        self._state, self._lost, self._mark = None, "", ()
        self._look(listener)
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, args=(listener, self._stopping), name="switchover-flags-file", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as error:
            self._thread = None
            listener.lose(f"no thread can be started: {error}")

    def stop(self) -> None:
        """End the thread."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def _watch(self, listener: Listener, stopping: threading.Event) -> None:
        while not stopping.wait(self._interval):
            self._look(listener)

    def _look(self, listener: Listener) -> None:
        try:
            mark = _mark_of(self._path)
            if mark == self._mark and self._rereads >= _REREADS:
                if not self._lost:
                    listener.confirm()
                return
            self._rereads = self._rereads + 1 if mark == self._mark else 0
            self._mark = mark
            snapshot = _read(self._path)
            state = snapshot.version, snapshot.lineage, digest_of(snapshot.parts)
        except OSError as error:
            self._mark = ()
            self._lose(listener, f"the file cannot be read: {error.strerror or type(error).__name__}")
        except LedgerUnreadableError as error:
            self._lose(listener, f"the file is broken: {error.problem.found}")
        except Exception as error:  # noqa: BLE001 - the thread outlives whatever it is: the file may be mended
            self._lose(listener, f"the file cannot be read: {type(error).__name__}")
        else:
            if self._lost:
                _log.info("%s can be read again", self._path)
            self._lost = ""
            if state == self._state:
                listener.confirm()
            else:
                listener.replace(snapshot)
                self._state = state

    def _lose(self, listener: Listener, why: str) -> None:
        if why != self._lost:
            _log.warning("%s: %s: %s", name_answers(listener.served), self._path, why)
            listener.lose(why)
            self._lost = why


def _mark_of(path: Path) -> _Mark:
    """What differs when the file does, as far as can be seen without reading it. Raises `OSError`."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _read(path: Path) -> Snapshot:
    """Raises `OSError`, also where there is no file, and `LedgerUnreadableError`."""
    found = look(path.resolve(strict=True))
    if not found.exists:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return found.snapshot
