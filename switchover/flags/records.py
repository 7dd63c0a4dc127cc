"""What is remembered of answers and events, and the place that keeps it.

Every keeper passes the contract suite `tests/contracts/test_record_keeper.py`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from switchover.flags.resolution import Resolution

MAX_UNITS: Final = 200_000
"""Units that are enrolled in one experiment, at most."""

MAX_EVENTS: Final = 50
"""Kinds of event that one experiment remembers, at most."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One kind of answer of one flag: what is counted. `error` is the code of OpenFeature."""

    flag: str
    variant: str | None
    rule: int | None
    reason: str
    error: str | None

    @classmethod
    def of(cls, resolution: Resolution) -> Answered:
        """The kind that this resolution belongs to."""
        error = None if resolution.error_code is None else str(resolution.error_code)
        return cls(resolution.flag, resolution.variant, resolution.rule, str(resolution.reason), error)


@dataclass(frozen=True, slots=True)
class DailyCount:
    """How often an answer was given on one day (UTC)."""

    day: date
    answered: Answered
    count: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """A unit was given a variant, `at` milliseconds since 1970."""

    flag: str
    unit: str
    variant: str
    at: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event of a unit, which counts when the unit is enrolled and was exposed before."""

    flag: str
    unit: str
    event: str
    value: float | None
    at: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one process hands over at once. It is kept whole or not at all, and once, however often it is sent.

    `sequence` rises by one from batch to batch of an instance.
    """

    instance: str
    sequence: int
    counts: Sequence[DailyCount] = ()
    records: Sequence[Exposure | Occurrence] = ()


@dataclass(frozen=True, slots=True)
class VariantData:
    """The units of one variant. `total` and `squares`: the sum of the units' values, and of their squares."""

    units: int = 0
    converted: int = 0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """What is known of one experiment and one event.

    `reassigned` units were seen with two variants and belong to none; `refused` counts exposures that came when
    the experiment was full; `early` are events before the exposure of their unit; `older` units were enrolled before
    the time that was asked for; `unkept` events were of one kind too many; `valued` is True where the event came with
    values.
    """

    flag: str
    event: str
    variants: Mapping[str, VariantData] = field(default_factory=dict)
    reassigned: int = 0
    refused: int = 0
    early: int = 0
    older: int = 0
    unkept: int = 0
    valued: bool = False
    events: Sequence[str] = ()


class Tally:
    """Adds up the units of an experiment, one by one; those that were enrolled before `since` are only counted."""

    def __init__(self, since: int = 0) -> None:
        self._since = since
        self._older = 0
        self._variants: dict[str, list[float]] = {}
        self._valued = False

    def add(self, variant: str, at: int, converted: bool, value: float | None) -> None:  # noqa: FBT001  (a fact)
        """Add one unit, enrolled `at`; `value` is the sum of its events' values, None where they had none."""
        if at < self._since:
            self._older += 1
            return
        sums = self._variants.setdefault(variant, [0, 0, 0.0, 0.0])
        sums[0] += 1
        sums[1] += converted
        if value is not None:
            self._valued = True
            sums[2] += value
            sums[3] += value * value

    def data(self, flag: str, event: str) -> ExperimentData:
        """The experiment so far."""
        variants = {
            name: VariantData(int(units), int(converted), total, squares)
            for name, (units, converted, total, squares) in sorted(self._variants.items())
        }
        return ExperimentData(flag, event, variants, older=self._older, valued=self._valued)


class RecordKeeper(Protocol):
    """Keeps batches and answers questions about them."""

    def write(self, batch: Batch) -> None:
        """Keep the batch, unless it was kept before.

        Raises `TargetError` when the place is silent (the batch may have been kept: send it again), and
        `LedgerUnreadableError` when what it holds cannot be added to.
        """

    def read_counts(self) -> Mapping[str, Sequence[DailyCount]]:
        """The answers of each flag by day, oldest first. Raises `TargetError`."""

    def read_experiment(self, flag: str, event: str) -> ExperimentData:
        """The experiment, judged by one event; no variants where nobody was enrolled. Raises `TargetError`."""


@dataclass(frozen=True, slots=True)
class ErrorWatch:
    """The units that have an event from now on are counted, each once, by the variant that it was given last.

    `variant` is the one that is watched: who was given it before `trusted_since` (ms since 1970) and not anew is not
    counted. `run` names who watches.
    """

    flag: str
    run: str
    event: str
    variant: str
    trusted_since: int = 0


class ExperimentKeeper(RecordKeeper, Protocol):
    """A keeper whose experiments are judged: at their end, and while a flag is rolled out."""

    def read_experiment(self, flag: str, event: str, since: int = 0) -> ExperimentData:
        """The experiment, judged by one event, of the units that were enrolled at `since` (ms since 1970) or later.

        Raises `TargetError`.
        """

    def begin_watch(self, watch: ErrorWatch) -> None:
        """Begin to count, from nothing, in the place of the flag's watch before. Raises `TargetError`."""

    def read_watch(self, flag: str, run: str) -> Mapping[str, int]:
        """The units that had the event so far, by variant; none where another run watches now. Raises `TargetError`.

        It costs the same however many units are enrolled.
        """


def unit_of(flag: str, targeting_key: str) -> str:
    """The name of a unit in one experiment: 64 bits that give away neither the key nor its other experiments."""
    text = targeting_key.encode("utf-8", "surrogatepass")
    salt = hashlib.blake2b(flag.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    digest = hashlib.blake2b(text, digest_size=8, key=salt).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def day_of(seconds: float) -> date:
    """The day in UTC; the first or last that can be written where a clock is mad."""
    days = min(max(int(seconds // 86400), 0), 365 * 1000)
    return date.fromordinal(date(1970, 1, 1).toordinal() + days)
