"""A flag set in the memory of this process: for tests, and for applications that bring their flags along."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from switchover.flags.forks import restart_in_children
from switchover.flags.ports import Listener
from switchover.flags.snapshot import Acknowledgement, Acknowledgements, Change, Edits, Note, Snapshot, parts_of
from switchover.flags.writing import check_expected, first_lineage, make_change, own_edits

HISTORY_LIMIT: Final = 1000


class MemoryStore:
    """Port `FlagStore`. Keeps the last 1000 changes. A forked child has a copy of its own.

    Feeds are told within `write`, in the thread that writes: when it returns, every client has the new set.
    """

    def __init__(
        self, snapshot: Snapshot | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._snapshot = snapshot or Snapshot()
        self._now = now
        self._history: deque[Change] = deque(maxlen=HISTORY_LIMIT)
        # Not kept alive: a client that nobody closes and nobody has any more is to go.
        self._listeners: dict[str, weakref.ref[Listener]] = {}
        self._lock = threading.RLock()
        restart_in_children(self)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> MemoryStore:
        """A store that begins at version 1 with this set in flagd's schema."""
        return cls(Snapshot(1, first_lineage(), own_edits(parts_of(document))))

    def read(self) -> Snapshot:
        """The set as it is now."""
        return self._snapshot

    def write(self, expected: Snapshot, edits: Edits, note: Note) -> Change:
        """Make the next version and tell the feeds."""
        edits = own_edits(edits)
        with self._lock:
            found = self._snapshot
            check_expected(expected, found)
            change = make_change(found, edits, note, self._now())
            named = found if found.lineage else replace(found, lineage=first_lineage())
            self._snapshot = named.after(change.version, edits)
            self._history.append(change)
            for listener in self._living().values():
                listener.apply(self._snapshot, edits)
        return change

    def history(self, limit: int | None = None) -> Sequence[Change]:
        """Newest first."""
        return tuple(reversed(self._history))[:limit]

    def acknowledgements(self) -> Acknowledgements:
        """One for each started feed whose listener is still there; all are in this process."""
        with self._lock:
            now = self._snapshot
            served = {name: listener.served for name, listener in self._living().items()}
        host, pid = os.uname().nodename, os.getpid()
        processes = (Acknowledgement(name, host, pid, each.version, each.lineage, 0.0) for name, each in served.items())
        return Acknowledgements(now.version, now.lineage, processes=tuple(processes))

    def feed(self) -> MemoryFeed:
        """A feed for one client."""
        return MemoryFeed(self)

    def join(self, name: str, listener: Listener) -> None:
        """Give the listener the set, and every change of it as long as somebody else has the listener."""
        with self._lock:
            listener.replace(self._snapshot)
            self._listeners = {each: weakref.ref(living) for each, living in self._living().items()}
            self._listeners[name] = weakref.ref(listener)

    def leave(self, name: str) -> None:
        """No more changes."""
        with self._lock:
            self._listeners.pop(name, None)

    def _living(self) -> dict[str, Listener]:
        found = {name: reference() for name, reference in self._listeners.items()}
        return {name: listener for name, listener in found.items() if listener is not None}

    def restart_after_fork(self) -> None:
        """In a child: nobody holds the lock, and the clients will join again."""
        self._lock = threading.RLock()
        self._listeners = {}


class MemoryFeed:
    """Port `FlagFeed`, of a `MemoryStore`. Changes come in the thread that writes."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def start(self, listener: Listener) -> None:
        """Hand over the set at once."""
        self._store.join(self._name, listener)

    def stop(self) -> None:
        """No more changes."""
        self._store.leave(self._name)

    @property
    def _name(self) -> str:
        return f"memory-{os.getpid()}-{id(self)}"
