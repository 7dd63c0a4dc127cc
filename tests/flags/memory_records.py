"""A keeper of records in the memory of a test. It keeps the same contract as the one in Redis."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from switchover.flags.records import (
    MAX_EVENTS,
    MAX_UNITS,
    Answered,
    Batch,
    DailyCount,
    ErrorWatch,
    ExperimentData,
    Exposure,
    Occurrence,
    Tally,
)

_DAYS_KEPT = 100


@dataclass(slots=True)
class _Experiment:
    units: dict[str, Exposure] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    events: dict[str, dict[str, tuple[int, float | None]]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    watch: ErrorWatch | None = None
    watched: dict[str, str] = field(default_factory=dict)


class MemoryRecords:
    """Keeps the records of one flag set, until the process ends."""

    def __init__(self, *, max_units: int = MAX_UNITS) -> None:
        self._max_units = max_units
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._counts: dict[date, Counter[Answered]] = {}
        self._experiments: dict[str, _Experiment] = {}

    def write(self, batch: Batch) -> None:
        """Keep the batch, unless this or a later one of the instance was kept before."""
        with self._lock:
            if batch.sequence <= self._seen.get(batch.instance, 0):
                return
            self._seen[batch.instance] = batch.sequence
            for count in batch.counts:
                self._counts.setdefault(count.day, Counter())[count.answered] += count.count
            while len(self._counts) > _DAYS_KEPT:
                del self._counts[min(self._counts)]
            for record in batch.records:
                experiment = self._experiments.setdefault(record.flag, _Experiment())
                if isinstance(record, Exposure):
                    self._expose(experiment, record)
                else:
                    _happen(experiment, record)

    def read_counts(self) -> Mapping[str, Sequence[DailyCount]]:
        """The answers of each flag by day, oldest first."""
        found: dict[str, list[DailyCount]] = {}
        with self._lock:
            for day in sorted(self._counts):
                for answered, count in self._counts[day].items():
                    found.setdefault(answered.flag, []).append(DailyCount(day, answered, count))
        return found

    def read_experiment(self, flag: str, event: str, since: int = 0) -> ExperimentData:
        """The experiment, judged by one event, of the units that were enrolled at `since` or later."""
        tally = Tally(since)
        with self._lock:
            experiment = self._experiments.get(flag, _Experiment())
            happened = experiment.events.get(event, {})
            for unit, exposure in experiment.units.items():
                if unit not in experiment.moved:
                    tally.add(exposure.variant, exposure.at, unit in happened, happened.get(unit, (0, None))[1])
            notes = experiment.notes
            return replace(
                tally.data(flag, event),
                reassigned=notes["reassigned"],
                refused=notes["refused"],
                early=notes["early"],
                unkept=notes["kinds"],
                events=tuple(sorted(experiment.events)),
            )

    def begin_watch(self, watch: ErrorWatch) -> None:
        """Begin to count, from nothing."""
        with self._lock:
            experiment = self._experiments.setdefault(watch.flag, _Experiment())
            experiment.watch, experiment.watched = watch, {}

    def read_watch(self, flag: str, run: str) -> Mapping[str, int]:
        """The units that had the event so far, by variant."""
        with self._lock:
            experiment = self._experiments.get(flag, _Experiment())
            is_ours = experiment.watch is not None and experiment.watch.run == run
            return dict(Counter(experiment.watched.values())) if is_ours else {}

    def _expose(self, experiment: _Experiment, exposure: Exposure) -> None:
        units = experiment.units
        if exposure.unit not in units:
            if len(units) >= self._max_units:
                experiment.notes["refused"] += 1
            else:
                units[exposure.unit] = exposure
            return
        old = units[exposure.unit]
        if old.variant == exposure.variant:
            units[exposure.unit] = min(old, exposure, key=lambda each: each.at)
            return
        units[exposure.unit] = exposure if exposure.at >= old.at else old
        if exposure.unit not in experiment.moved:
            experiment.moved.add(exposure.unit)
            experiment.notes["reassigned"] += 1


def _happen(experiment: _Experiment, event: Occurrence) -> None:
    exposure = experiment.units.get(event.unit)
    if exposure is None:
        return
    _count_watched(experiment, exposure, event)
    if event.unit in experiment.moved:
        return
    if event.at < exposure.at:
        experiment.notes["early"] += 1
        return
    if event.event not in experiment.events and len(experiment.events) >= MAX_EVENTS:
        experiment.notes["kinds"] += 1
        return
    happened = experiment.events.setdefault(event.event, {})
    count, total = happened.get(event.unit, (0, None))
    if event.value is not None:
        total = (total or 0.0) + event.value
    happened[event.unit] = (count + 1, total)


def _count_watched(experiment: _Experiment, exposure: Exposure, event: Occurrence) -> None:
    watch = experiment.watch
    if watch is None or event.event != watch.event or event.at < exposure.at:
        return
    if exposure.variant != watch.variant or exposure.at >= watch.trusted_since:
        experiment.watched.setdefault(event.unit, exposure.variant)
