"""Recording of answers, exposures and events: on the path of an evaluation nothing, off it a thread that flushes."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from switchover.errors import LedgerUnreadableError, SwitchoverError
from switchover.flags.additions import is_killed
from switchover.flags.context import Context
from switchover.flags.counting import AnswerCounts
from switchover.flags.flag_set import FlagSet
from switchover.flags.outbox import Outbox
from switchover.flags.recent import Recent
from switchover.flags.records import Answered, Exposure, Occurrence, RecordKeeper, day_of, unit_of
from switchover.flags.resolution import Reason, Resolution
from switchover.flags.splits import find_split

_LOG = logging.getLogger("switchover.flags")

# Longer names are no kinds of event but data that got into a name by mistake.
MAX_EVENT_NAME: Final = 200

_STOP_SECONDS: Final = 5.0
_NO_RULE: Final = -1
_BY_RULE: Final = frozenset({Reason.TARGETING_MATCH, Reason.SPLIT})


class ExposureRecorder:
    """Counts answers per flag, variant, rule and reason; records who takes part in experiments and what comes of it.

    Nothing here raises or waits for the keeper: while it is away counts are added up, exposures and events are kept
    up to `buffer_limit` each, and `dropped` says how many were not. `recent_limit` units are remembered as sent.
    `clock` and `monotonic` give seconds.
    """

    def __init__(
        self,
        keeper: RecordKeeper,
        *,
        interval_seconds: float = 10.0,
        buffer_limit: int = 20_000,
        recent_limit: int = 100_000,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper = keeper
        self._interval = interval_seconds
        self._buffer_limit = buffer_limit
        self._recent_limit = recent_limit
        self._clock = clock
        self._monotonic = monotonic
        self._counts = AnswerCounts()
        self._experiments: Mapping[str, int | None] = {}
        self._totals: Counter[Answered] = Counter()
        self._silent = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What belongs to one process: after a fork the parent's locks, thread and outbox are not ours."""
        self._pid = os.getpid()
        self._counting, self._flushing = threading.Lock(), threading.Lock()
        self._recent = Recent(self._recent_limit)
        self._outbox = Outbox(self._buffer_limit, 2 * self._interval)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # The client's side.

    def swapped(self, flag_set: FlagSet) -> None:
        """Count the answers of this set from now on."""
        with self._counting:
            self._counts.swap(flag_set)
            flags = flag_set.compiled
            self._totals = Counter({kind: count for kind, count in self._totals.items() if kind.flag in flags})
        self._experiments = {
            key: _split_rule(flag_set.snapshot.flag(key))
            for key, flag in flag_set.compiled.items()
            if (made := flag.made) is not None and any(resolution.experiment for resolution in made.resolutions)
        }

    def exposed(self, resolution: Resolution, context: Context) -> None:
        """Record the unit, unless chance had no part in it or this process has lately done so with this variant."""
        flag, key, variant = resolution.flag, context.targeting_key, resolution.variant
        if not isinstance(key, str) or not key or variant is None or resolution.reason not in _BY_RULE:
            return
        mark = hash((flag, key, variant))
        rule = self._experiments.get(flag)
        if mark in self._recent or (rule is not None and rule != resolution.rule):
            return
        if self._outbox.has_room_for_exposure():
            self._outbox.add_exposure(Exposure(flag, unit_of(flag, key), variant, self._milliseconds()))
            self._recent.add(mark)

    def tracked(self, event: str, context: Context, value: float | None) -> None:
        """Record the event for each experiment of the set."""
        key = context.targeting_key
        if not self._experiments or not isinstance(key, str) or not key:
            return
        if not _is_event(event) or not _is_value(value):
            self._outbox.drop("events")
            return
        at, now = self._milliseconds(), self._monotonic()
        number = None if value is None else float(value)
        for flag in self._experiments:
            if self._outbox.has_room_for_event():
                self._outbox.add_event(Occurrence(flag, unit_of(flag, key), event, number, at), now)

    def start(self) -> None:
        """Begin to flush in the background, also after a fork; what the parent has not sent stays the parent's."""
        self._notice_fork()
        if self._thread is None or not self._thread.is_alive():
            self._stopping.clear()
            self._thread = threading.Thread(target=self._flush_regularly, name="switchover-exposures", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Flush all that waits, once, and end. A keeper that is silent costs its timeout and no more."""
        self._notice_fork()
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOP_SECONDS)
        self.flush(everything=True)

    # Reading and sending.

    def collect(self) -> Mapping[Answered, int]:
        """The answers that this process gave so far, of the flags in the set; everything is read now."""
        with self._counting:
            fresh = self._counts.read()
            self._totals.update(fresh)
            self._outbox.add_counts(day_of(self._clock()), fresh)
            return dict(self._totals)

    def flush(self, *, everything: bool = False) -> bool:
        """Send what is due, or `everything`; False: the keeper is silent, and it all waits for the next time."""
        self._notice_fork()
        with self._flushing:
            self.collect()
            now = math.inf if everything else self._monotonic()
            while (batch := self._outbox.next_batch(now)) is not None:
                try:
                    self._keeper.write(batch)
                except LedgerUnreadableError as error:
                    _LOG.warning("records of flags were dropped: %s", error.problem.found)
                    self._outbox.give_up()
                    continue
                except SwitchoverError as error:
                    self._note_silence(error)
                    return False
                self._outbox.sent()
            self._silent = False
            return True

    @property
    def dropped(self) -> Mapping[str, int]:
        """What could not be kept so far, by kind: `answers`, `exposures`, `events`."""
        return self._outbox.dropped

    @property
    def waiting(self) -> int:
        """Counts, exposures and events that are still to be sent."""
        return len(self._outbox)

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():
            self._begin_anew()
            self._counts.read()
            self._totals = Counter()

    def _flush_regularly(self) -> None:
        stopping = self._stopping
        while not stopping.wait(self._interval):
            try:
                self.flush()
            except Exception:  # noqa: BLE001  (logged; see below)
                # The thread of an application that must not notice us: whatever this is, it is tried again.
                _LOG.exception("the records of flags could not be sent")

    def _note_silence(self, error: SwitchoverError) -> None:
        if not self._silent:
            _LOG.warning("the records of flags wait: %s", error.problem.found)
        self._silent = True

    def _milliseconds(self) -> int:
        return int(self._clock() * 1000)


def _split_rule(flag: object) -> int | None:
    """The rule whose answers are recorded; None: of any rule."""
    if is_killed(flag):
        return _NO_RULE
    split = find_split(flag)
    return None if split is None else split.rule


def _is_event(event: object) -> bool:
    return isinstance(event, str) and 0 < len(event) <= MAX_EVENT_NAME


def _is_value(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and abs(value) < 1e15  # noqa: PLR2004  (also false for NaN)
