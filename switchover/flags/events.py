"""What a client tells those who subscribed to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from switchover.flags.complaints import Complaints


class EventKind(StrEnum):
    """Named as OpenFeature's provider events."""

    READY = "READY"
    """The first set has come, or the place can be asked again."""
    STALE = "STALE"
    CHANGED = "CHANGED"
    """`Event.keys` answer differently from now on."""
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Event:
    """`version` is that of the set being served; `why` says what is wrong (STALE, ERROR)."""

    kind: EventKind
    version: int
    keys: tuple[str, ...] = ()
    why: str = ""


Handler: TypeAlias = Callable[[Event], object]


class Handlers:
    """Those who subscribed. One that raises is logged and keeps neither the feed nor the others from going on."""

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._handlers: tuple[Handler, ...] = ()
        self._lock = threading.Lock()

    def add(self, handler: Handler) -> Callable[[], None]:
        """Call `handler` from now on; what is returned ends that."""
        with self._lock:
            self._handlers = (*self._handlers, handler)
        return lambda: self._remove(handler)

    def _remove(self, handler: Handler) -> None:
        with self._lock:
            left = list(self._handlers)
            if handler in left:
                left.remove(handler)
            self._handlers = tuple(left)

    def tell(self, event: Event) -> None:
        """Call them all, in the order in which they came."""
        for handler in self._handlers:
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001 - an application's handler may raise anything
                self._complaints.about("a handler of events", error)

    def renew_lock(self) -> None:
        """In a forked child: whoever held the lock is not here."""
        self._lock = threading.Lock()
