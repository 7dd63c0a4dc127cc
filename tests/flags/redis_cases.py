"""What the tests of the sets in Redis share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from switchover.flags.redis_feed import RedisFeed
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Change, Edits, Json, Note, Snapshot
from tests.real_parts.redis_server import wait_for

NOTE = Note("ada", "because", "set")


def flag(variant: str = "on") -> Json:
    """A flag's JSON."""
    return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": variant}


@dataclass(slots=True)
class Heard:
    """A `Listener` that remembers what it was told, and the set that it would answer from."""

    snapshot: Snapshot | None = None
    told: list[str] = field(default_factory=list)
    lost: str = ""
    losses: list[str] = field(default_factory=list)
    applied: list[tuple[int, Edits]] = field(default_factory=list)
    confirmed: int = 0
    remembered: list[float | None] = field(default_factory=list)
    _busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def served(self) -> Snapshot:
        return self.snapshot or Snapshot()

    def replace(self, snapshot: Snapshot, *, vouched: bool = True, age_seconds: float | None = None) -> None:
        with self._alone():
            self.snapshot = snapshot
            if not vouched:
                self.remembered.append(age_seconds)
            self.told.append(f"replace {snapshot.version}")

    def apply(self, snapshot: Snapshot, edits: Edits) -> None:
        with self._alone():
            self.snapshot = snapshot
            self.applied.append((snapshot.version, edits))
            self.told.append(f"apply {snapshot.version}")

    def confirm(self) -> None:
        with self._alone():
            self.confirmed += 1
            self.lost = ""

    def lose(self, why: str) -> None:
        with self._alone():
            self.lost = why
            self.losses.append(why)
            self.told.append("lose")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._busy.acquire(blocking=False), "a listener is called by one thread at a time"
        try:
            yield
        finally:
            self._busy.release()

    @property
    def version(self) -> int:
        return -1 if self.snapshot is None else self.snapshot.version

    def wait_version(self, version: int) -> None:
        wait_for(lambda: self.version == version)

    def wait_confirmed(self) -> None:
        """Until the place has said once more that the set is the right one."""
        before = self.confirmed
        wait_for(lambda: self.confirmed > before and not self.lost)


@contextmanager
def following(place: str, *, file: Path | None = None, instance: str | None = None) -> Iterator[Heard]:
    """What a feed tells, while it runs."""
    heard = Heard()
    feed = RedisFeed(place, last_known_good=file, instance=instance)
    feed.start(heard)
    try:
        yield heard
    finally:
        feed.stop()


def change(store: RedisStore, edits: Edits | None = None, note: Note = NOTE) -> Change:
    """Make the next version of whatever there is."""
    now = store.read()
    return store.write(now, {f"flags/f{now.version}": flag()} if edits is None else edits, note)
