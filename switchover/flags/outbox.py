"""What waits to be handed to the keeper: bounded, in an order that loses nothing and counts nothing twice."""

from __future__ import annotations

import threading
import uuid
from collections import Counter, deque
from datetime import date
from typing import Final

from switchover.flags.records import Answered, Batch, DailyCount, Exposure, Occurrence

# A batch is one script on the server, which answers nobody else while it runs: about 1 ms.
_BATCH_SIZE: Final = 200

# Kinds of answer by day that are added up while the keeper is away.
_MAX_COUNTS: Final = 20_000


class Outbox:
    """Counts, exposures and events of this process. Adding never waits for the keeper.

    A batch keeps its number until `sent` says that it arrived, so that a keeper that has kept it, and whose answer
    was lost, knows it again.
    """

    def __init__(self, limit: int, event_delay_seconds: float) -> None:
        self._limit = limit
        self._delay = event_delay_seconds
        self._lock = threading.Lock()
        self._counts: dict[tuple[date, Answered], int] = {}
        self._exposures: deque[Exposure] = deque()
        self._events: deque[tuple[float, Occurrence]] = deque()
        self._under_way: Batch | None = None
        self._instance = uuid.uuid4().hex
        self._sequence = 0
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> dict[str, int]:
        """What was let go so far, by kind: `answers`, `exposures`, `events`."""
        with self._lock:
            return dict(self._dropped)

    def __len__(self) -> int:
        under_way = self._under_way
        waiting = 0 if under_way is None else len(under_way.counts) + len(under_way.records)
        return waiting + len(self._counts) + len(self._exposures) + len(self._events)

    def add_counts(self, day: date, fresh: Counter[Answered]) -> None:
        """Add answers up."""
        with self._lock:
            for answered, count in fresh.items():
                key = (day, answered)
                if key in self._counts or len(self._counts) < _MAX_COUNTS:
                    self._counts[key] = self._counts.get(key, 0) + count
                else:
                    self._dropped["answers"] += count

    def has_room_for_exposure(self) -> bool:
        """Whether one more is taken; False is noted as a drop."""
        if len(self._exposures) < self._limit:
            return True
        self.drop("exposures")
        return False

    def has_room_for_event(self) -> bool:
        """Whether one more is taken; False is noted as a drop."""
        if len(self._events) < self._limit:
            return True
        self.drop("events")
        return False

    def add_exposure(self, exposure: Exposure) -> None:
        """Take the exposure, for which there is room."""
        self._exposures.append(exposure)

    def add_event(self, event: Occurrence, now: float) -> None:
        """Take the event, for which there is room.

        It leaves after the delay, so that exposures in other processes arrive before it.
        """
        self._events.append((now, event))

    def drop(self, kind: str, count: int = 1) -> None:
        """Note that something is let go."""
        with self._lock:
            self._dropped[kind] += count

    def next_batch(self, now: float) -> Batch | None:
        """The batch to send now: the last one again, until it was sent. None: nothing is due."""
        if self._under_way is None:
            counts, records = self._take_counts(), self._take_records(now)
            if not counts and not records:
                return None
            self._sequence += 1
            self._under_way = Batch(self._instance, self._sequence, counts, records)
        return self._under_way

    def sent(self) -> None:
        """The batch has arrived."""
        self._under_way = None

    def give_up(self) -> None:
        """The batch can never be kept."""
        batch, self._under_way = self._under_way, None
        if batch is not None:
            events = sum(isinstance(record, Occurrence) for record in batch.records)
            self.drop("answers", sum(count.count for count in batch.counts))
            self.drop("events", events)
            self.drop("exposures", len(batch.records) - events)

    def _take_counts(self) -> tuple[DailyCount, ...]:
        with self._lock:
            keys = tuple(self._counts)[:_BATCH_SIZE]
            return tuple(DailyCount(day, answered, self._counts.pop((day, answered))) for day, answered in keys)

    def _take_records(self, now: float) -> tuple[Exposure | Occurrence, ...]:
        records: list[Exposure | Occurrence] = []
        while self._exposures and len(records) < _BATCH_SIZE:
            records.append(self._exposures.popleft())
        while self._events and len(records) < _BATCH_SIZE and now - self._events[0][0] >= self._delay:
            records.append(self._events.popleft()[1])
        return tuple(records)
