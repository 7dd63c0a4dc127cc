"""The file that the load generator writes, one JSON object a line, and its reading.

Three kinds of lines: `interval` (what was answered since the line before), `failure` (one request that failed)
and, last of all, `summary`. All times are seconds of the epoch, all latencies milliseconds from the moment at
which the request was due.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.errors import InputError


@dataclass(frozen=True, slots=True)
class Count:
    """Requests of one colour or version in one interval, and when the first and the last of them ended."""

    requests: int
    failed: int
    slow: int
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened between `begin` and `end`. Latencies are None where nothing was answered."""

    begin: float
    end: float
    sent: int
    finished: int
    failed: int
    slow: int
    p50_ms: float | None
    p99_ms: float | None
    colours: dict[str, Count] = field(default_factory=dict)
    versions: dict[str, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request: when it ended, how (`status 500`, `timeout`, …), and who answered, if anybody did."""

    at: float
    failure: str
    colour: str
    version: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run. `ended` says why: `count`, `time limit` or `stopped`."""

    begin: float
    end: float
    ended: str
    sent: int
    finished: int
    failed: int
    slow: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Everything that a load generator has written so far; `summary` is None while it runs."""

    intervals: tuple[Interval, ...]
    failures: tuple[Failure, ...]
    summary: Summary | None

    def intervals_between(self, begin: float, end: float) -> tuple[Interval, ...]:
        """The intervals whose middle lies in the time from `begin` to `end`, so that each falls in one phase."""
        return tuple(part for part in self.intervals if begin <= (part.begin + part.end) / 2 < end)

    def failures_between(self, begin: float, end: float) -> tuple[Failure, ...]:
        """The failures from `begin` on and before `end`, exactly."""
        return tuple(failure for failure in self.failures if begin <= failure.at < end)

    def requests_between(self, begin: float, end: float) -> int:
        """Answered and failed requests of those intervals."""
        return sum(part.finished for part in self.intervals_between(begin, end))

    def count_version(self, version: str) -> Count | None:
        """All requests that this version answered, over the whole run; None when it answered none."""
        return _merge(part.versions[version] for part in self.intervals if version in part.versions)

    def count_colour(self, colour: str, begin: float, end: float) -> Count | None:
        """The requests that this colour answered in those intervals; None when it answered none."""
        parts = self.intervals_between(begin, end)
        return _merge(part.colours[colour] for part in parts if colour in part.colours)

    def first_failure_of(self, version: str) -> float | None:
        """When this version's first bad answer came; None when none did."""
        return min((failure.at for failure in self.failures if failure.version == version), default=None)


def _merge(counts: Iterable[Count]) -> Count | None:
    known = tuple(counts)
    if not known:
        return None
    return Count(
        sum(count.requests for count in known),
        sum(count.failed for count in known),
        sum(count.slow for count in known),
        min(count.first_at for count in known),
        max(count.last_at for count in known),
    )


def read_load(path: Path) -> LoadReport:
    """Read what is there, also while it is being written: a last line without its end is left out.

    A file that does not exist yet reads as an empty report. Raises `InputError` for a file of another kind.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    intervals: list[Interval] = []
    failures: list[Failure] = []
    summary: Summary | None = None
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            match _read_line(line):
                case Interval() as interval:
                    intervals.append(interval)
                case Failure() as failure:
                    failures.append(failure)
                case Summary() as last:
                    summary = last
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"cannot read the load report {path}",
                expected="lines as `python -m switchover.demo.load` writes them",
                found=f"line {number}: {line[:80]!r}",
                next_step="name the file given to the load generator as --out",
            ) from error
    return LoadReport(tuple(intervals), tuple(failures), summary)


def _read_line(line: str) -> Interval | Failure | Summary:
    document: dict[str, Any] = json.loads(line)
    match document.pop("kind"):
        case "interval":
            colours, versions = document.pop("colours"), document.pop("versions")
            return Interval(**document, colours=_read_counts(colours), versions=_read_counts(versions))
        case "failure":
            return Failure(**document)
        case "summary":
            return Summary(**document)
        case kind:
            raise ValueError(kind)


def _read_counts(document: dict[str, dict[str, Any]]) -> dict[str, Count]:
    return {name: Count(**count) for name, count in document.items()}
