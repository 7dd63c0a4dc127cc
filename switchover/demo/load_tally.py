"""Counts what the load generator sees, and writes it down interval by interval."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TextIO

from switchover.demo.load_connection import Outcome
from switchover.demo.load_report import Count, Failure, Interval, Summary

MILLISECONDS = 1000.0


@dataclass(slots=True)
class _Counting:
    """The counts of one interval, or of the whole run."""

    begin: float
    sent: int = 0
    failed: int = 0
    slow: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    colours: dict[str, Count] = field(default_factory=dict)
    versions: dict[str, Count] = field(default_factory=dict)

    def add(self, outcome: Outcome, latency_ms: float, at: float, *, slow: bool) -> None:
        self.failed += bool(outcome.failure)
        self.slow += slow
        self.latencies_ms.append(latency_ms)
        _add_to(self.colours, outcome.colour, outcome, at, slow=slow)
        _add_to(self.versions, outcome.version, outcome, at, slow=slow)


def _add_to(counts: dict[str, Count], name: str, outcome: Outcome, at: float, *, slow: bool) -> None:
    if name:
        known = counts.get(name) or Count(0, 0, 0, at, at)
        failed = known.failed + bool(outcome.failure)
        counts[name] = replace(known, requests=known.requests + 1, failed=failed, slow=known.slow + slow, last_at=at)


class LoadTally:
    """Counts requests against a latency budget and writes the lines of the report to `out`."""

    def __init__(self, out: TextIO, begin: float, latency_budget_ms: float) -> None:
        self._out = out
        self._budget_ms = latency_budget_ms
        self._total = _Counting(begin)
        self._interval = _Counting(begin)

    @property
    def in_flight(self) -> int:
        """Requests sent and not yet ended."""
        return self._total.sent - len(self._total.latencies_ms)

    def count_sent(self) -> None:
        """One more request is on its way."""
        self._total.sent += 1
        self._interval.sent += 1

    def count_ended(self, outcome: Outcome, due: float, at: float) -> None:
        """One request has ended. A failure is written down at once."""
        latency_ms = (at - due) * MILLISECONDS
        slow = latency_ms > self._budget_ms
        self._total.add(outcome, latency_ms, at, slow=slow)
        self._interval.add(outcome, latency_ms, at, slow=slow)
        if outcome.failure:
            failure = Failure(at, outcome.failure, outcome.colour, outcome.version)
            self._write("failure", asdict(failure))

    def write_interval(self, end: float) -> None:
        """Write what has happened since the last interval, and begin the next one."""
        now, self._interval = self._interval, _Counting(end)
        p50, p99 = _choose_quantiles(now.latencies_ms)
        interval = Interval(
            now.begin,
            end,
            now.sent,
            len(now.latencies_ms),
            now.failed,
            now.slow,
            p50,
            p99,
            now.colours,
            now.versions,
        )
        self._write("interval", asdict(interval))

    def write_summary(self, end: float, ended: str) -> Summary:
        """Write the last line and return what it says."""
        total = self._total
        p50, p99 = _choose_quantiles(total.latencies_ms)
        summary = Summary(
            total.begin, end, ended, total.sent, len(total.latencies_ms), total.failed, total.slow, p50, p99
        )
        self._write("summary", asdict(summary))
        return summary

    def _write(self, kind: str, document: dict[str, object]) -> None:
        self._out.write(json.dumps({"kind": kind, **document}) + "\n")
        self._out.flush()


def _choose_quantiles(latencies_ms: list[float]) -> tuple[float | None, float | None]:
    """The median and the 99th percentile by nearest rank."""
    if not latencies_ms:
        return None, None
    ordered = sorted(latencies_ms)
    last = len(ordered) - 1
    return round(ordered[round(last * 0.5)], 3), round(ordered[round(last * 0.99)], 3)
