"""Follows a set in Redis for one process: what a `RedisFeed` runs in its thread.

It waits for the next change of the stream, and asks once a second for the version: what was lost on the way costs at
most that second. Whatever does not fit (a gap, another lineage, a broken entry) is answered by reading the whole set.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Final

from switchover.flags.complaints import name_answers
from switchover.flags.last_known_good import LastKnownGood
from switchover.flags.ports import Listener
from switchover.flags.redis_form import (
    MOST_BYTES,
    Entry,
    Head,
    MalformedError,
    StoredSet,
    read_edits,
    read_entry,
    read_parts,
)
from switchover.flags.redis_link import RedisLink
from switchover.flags.redis_place import RedisPlace
from switchover.flags.redis_trouble import ELSEWHERE, TROUBLE, explain
from switchover.flags.snapshot import Json, Part, Snapshot

_LOOK_SECONDS: Final = 0.75
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_FAR_BEHIND: Final = 256
"""From so many missed changes on, the whole set is read instead."""

_log = logging.getLogger(__name__)


class Follower:
    """`held` is what the listener has already been given; None: nothing. `hold` is called with each new state."""

    def __init__(
        self,
        place: RedisPlace,
        listener: Listener,
        held: StoredSet | None,
        hold: Callable[[StoredSet], None],
        kept: LastKnownGood | None,
        instance: str,
        stopping: threading.Event,
    ) -> None:
        self._place = place
        self._listener = listener
        self._held = held
        self._publish = hold
        self._kept = kept
        self._instance = instance
        self._stopping = stopping
        self._host = socket.gethostname()
        self._cursor = _cursor_of(held)
        self._behind = self._heard = False
        self._unsaid = True
        self._look_at = 0.0
        self._began = 0.0
        self._refused: Head | None = None
        self._lost = ""
        self._complained: dict[Part, str] = {}

    def run(self) -> None:
        """Until it is asked to stop. Never raises."""
        failures = 0
        while not self._stopping.is_set():
            self._heard = False
            self._began = time.monotonic()
            try:
                with closing(RedisLink(self._place, self._instance)) as link:
                    self._follow(link)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever happens
                failures = 1 if self._heard else failures + 1
                self._stumble(error, failures)
                self._keep()
        if self._kept:
            self._kept.flush()

    def _stumble(self, error: Exception, failures: int) -> None:
        if self._stopping.is_set():
            return
        if self._heard and isinstance(error, ELSEWHERE):
            if time.monotonic() - self._began < _LONGEST_PAUSE_SECONDS:
                # It answers, and breaks again and again: what is served is fresh, and knocking must have a measure.
                self._stopping.wait(_FIRST_PAUSE_SECONDS)
            return
        if isinstance(error, TROUBLE):
            self._lose(f"{self._place}: {explain(error, self._place)}")
        elif isinstance(error, MalformedError):
            self._lose(f"{self._place} is broken: {error}")
        else:
            _log.error("following %s failed", self._place, exc_info=error)
            self._lose(f"{self._place}: {type(error).__name__}")
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
        # Jitter keeps a thousand processes from knocking at the same moment; it is no secret.
        self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _follow(self, link: RedisLink) -> None:
        self._unsaid = True
        while not self._stopping.is_set():
            self._step(link)
        with suppress(*TROUBLE):
            link.say_goodbye()

    def _step(self, link: RedisLink) -> None:
        if self._heard:
            hurried = self._behind or self._unsaid
            entries = link.read_changes(self._cursor, 0.0 if hurried else self._look_at - time.monotonic())
            if entries:
                self._take(link, entries)
            elif self._behind:
                self._read_all(link)
        if self._unsaid or time.monotonic() >= self._look_at:
            self._look(link)
        self._keep()

    def _keep(self) -> None:
        if self._kept:
            self._kept.write_when_quiet(time.monotonic())

    def _look(self, link: RedisLink) -> None:
        """Say what is served, hear what the set is, and see whether what is held is the same."""
        held, served = self._held_snapshot(), self._listener.served
        said: dict[str, Json] = {
            "host": self._host,
            "pid": os.getpid(),
            "version": served.version,
            "lineage": served.lineage,
            "mark": self._held.mark if self._held and served is self._held.snapshot else "",
        }
        head = link.acknowledge(said)
        first, self._heard = not self._heard, True
        self._unsaid = self._behind = False
        self._look_at = time.monotonic() + _LOOK_SECONDS
        if head is None:
            self._find_nothing()
        elif self._held and self._held.is_at(head):
            self._confirm()
        elif head == self._refused:
            return
        elif not first and held.lineage == head.lineage and 0 < head.version - held.version <= _FAR_BEHIND:
            # Its entries are in the stream, or the next step finds that they are not. A connection that has just been
            # made reads all instead: what was missed comes even where reading the stream is what breaks it.
            self._behind = True
        else:
            self._read_all(link)

    def _take(self, link: RedisLink, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> None:
        self._behind = False
        for identity, fields in entries:
            try:
                entry = read_entry(identity, fields)
                held = _require_next(self._held, entry)
                edits = read_edits(entry.edits)
            except MalformedError as error:
                _log.info("%s is read as a whole: %s", self._place, error)
                self._read_all(link)
                # What does not fit is not read again: it would be found at every step.
                self._cursor = max(self._cursor, entries[-1][0].decode(), key=_order)
                return
            snapshot = held.after(entry.version, edits)
            self._hold(StoredSet(snapshot, entry.mark))
            self._listener.apply(snapshot, edits)

    def _read_all(self, link: RedisLink) -> None:
        head, texts = link.read_set()
        self._behind = False
        if head is None:
            self._find_nothing()
            return
        size = sum(map(len, texts.values()))
        if size > MOST_BYTES:
            self._refused = head
            self._lose(f"{self._place} has {size} bytes, more than {MOST_BYTES}")
            return
        if self._held is None or not self._held.is_at(head):
            parts, broken = read_parts(texts, self._held.snapshot.parts if self._held else {})
            self._complain(broken)
            self._hold(StoredSet(Snapshot(head.version, head.lineage, parts), head.mark))
            self._listener.replace(self._held_snapshot())
        self._cursor = _cursor_of(self._held)
        self._confirm()

    def _held_snapshot(self) -> Snapshot:
        return self._held.snapshot if self._held else Snapshot()

    def _find_nothing(self) -> None:
        """A server without a set may have lost it: it is believed only by a process that has none either."""
        if self._held is None:
            self._hold(StoredSet())
            self._listener.replace(Snapshot())
        if self._held_snapshot().version:
            self._lose(f"{self._place} holds no set: it was never written there, or it was lost")
        else:
            self._confirm()

    def _hold(self, stored: StoredSet) -> None:
        self._held = stored
        self._cursor = _cursor_of(stored)
        self._unsaid = True
        self._refused = None
        self._publish(stored)
        if self._kept and stored.snapshot.version:
            self._kept.note(stored, time.monotonic())

    def _confirm(self) -> None:
        if self._lost:
            _log.info("%s answers again", self._place)
        self._lost = ""
        self._listener.confirm()

    def _lose(self, why: str) -> None:
        if why != self._lost:
            _log.warning("%s: %s", name_answers(self._listener.served), why)
            self._lost = why
            self._listener.lose(why)

    def _complain(self, broken: dict[Part, str]) -> None:
        for part, why in broken.items():
            if self._complained.get(part) != why:
                _log.warning("%s: %s is %s; its last known value stands, if there is one", self._place, part, why)
        self._complained = broken


def _require_next(held: StoredSet | None, entry: Entry) -> Snapshot:
    """What the entry has changed. Raises `MalformedError` when that is something else than what is held."""
    if held is None or not held.precedes(entry):
        raise MalformedError(f"change {entry.version} does not follow what is held")
    return held.snapshot


def _cursor_of(stored: StoredSet | None) -> str:
    return f"{stored.snapshot.version if stored else 0}-0"


def _order(cursor: str) -> tuple[int, ...]:
    return tuple(map(int, cursor.split("-")))
