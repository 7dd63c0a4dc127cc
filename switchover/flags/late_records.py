"""The records of a set in Redis, without its client before there is something to write: that takes long to import."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cached_property

from switchover.flags.forks import IMPORTING
from switchover.flags.records import Batch, DailyCount, ExperimentData, RecordKeeper


class LateRecords:
    """Port `RecordKeeper`: `RedisRecords` of the place, opened when it is first asked."""

    def __init__(self, place: str) -> None:
        self._place = place

    def write(self, batch: Batch) -> None:
        """Keep the batch."""
        self._records.write(batch)

    def read_counts(self) -> Mapping[str, Sequence[DailyCount]]:
        """The answers of each flag by day."""
        return self._records.read_counts()

    def read_experiment(self, flag: str, event: str) -> ExperimentData:
        """Who took part, and what came of it."""
        return self._records.read_experiment(flag, event)

    @cached_property
    def _records(self) -> RecordKeeper:
        with IMPORTING:
            module = importlib.import_module("switchover.flags.experiment_store")
        records: RecordKeeper = module.RedisRecords(self._place)
        return records
