"""The keeper of records in this process: for tests. It keeps the same contract as the one in Redis."""

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
    ExperimentData,
    Exposure,
    Occurrence,
    Tally,
)

_DAYS_KEPT = 100


@dataclass(slots=True)
class _Experiment:
    units: dict[str, Exposure | None] = field(default_factory=dict)
    events: dict[str, dict[str, tuple[int, float | None]]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)


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

    def read_experiment(self, flag: str, event: str) -> ExperimentData:
        """The experiment, judged by one event."""
        tally = Tally()
        with self._lock:
            experiment = self._experiments.get(flag, _Experiment())
            happened = experiment.events.get(event, {})
            for unit, exposure in experiment.units.items():
                if exposure is not None:
                    tally.add(exposure.variant, unit in happened, happened.get(unit, (0, None))[1])
            notes = experiment.notes
            return replace(
                tally.data(flag, event),
                reassigned=notes["reassigned"],
                refused=notes["refused"],
                early=notes["early"],
                events=tuple(sorted(experiment.events)),
            )

    def _expose(self, experiment: _Experiment, exposure: Exposure) -> None:
        units = experiment.units
        if exposure.unit not in units:
            if len(units) >= self._max_units:
                experiment.notes["refused"] += 1
            else:
                units[exposure.unit] = exposure
            return
        old = units[exposure.unit]
        if old is None:
            return
        if old.variant != exposure.variant:
            units[exposure.unit] = None
            experiment.notes["reassigned"] += 1
        elif exposure.at < old.at:
            units[exposure.unit] = exposure


def _happen(experiment: _Experiment, event: Occurrence) -> None:
    exposure = experiment.units.get(event.unit)
    if exposure is None:
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
