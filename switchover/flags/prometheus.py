"""Flags as Prometheus metrics: `REGISTRY.register(FlagCollector(client, recorder))`. Needs `prometheus-client`.

The labels are bounded by the set: a flag, its variants, reasons and error codes. Import this module late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from switchover.flags.context_cache import ContextCache
from switchover.flags.records import Answered
from switchover.flags.resolution import Reason
from switchover.flags.status import State, Status


class Observed(Protocol):
    """A client."""

    @property
    def status(self) -> Status:
        """How it is doing now."""


class Counted(Protocol):
    """A recorder that adds up itself."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """What could not be kept, by kind."""

    def collect(self) -> Mapping[Answered, int]:
        """The answers so far."""


class FlagCollector(Collector):
    """Reads the client and its recorder when it is scraped; an evaluation costs nothing more for it.

    `cache` is the client's, where it has one.
    """

    def __init__(self, client: Observed, recorder: Counted, *, cache: ContextCache | None = None) -> None:
        self._client = client
        self._recorder = recorder
        self._cache = cache

    def describe(self) -> Iterator[Metric]:
        """The families, without samples."""
        yield _evaluations()
        yield _errors()
        yield _dropped()
        if self._cache is not None:
            yield _asked()
        yield from _gauges(None)

    def collect(self) -> Iterator[Metric]:
        """All that is known now."""
        evaluations, errors, dropped = _evaluations(), _errors(), _dropped()
        answers: Counter[tuple[str, str, str]] = Counter()
        failures: Counter[tuple[str, str]] = Counter()
        for kind, count in self._recorder.collect().items():
            answers[kind.flag, kind.variant or "", kind.reason] += count
            if kind.reason == Reason.ERROR:
                failures[kind.flag, kind.error or ""] += count
        for labels, count in answers.items():
            evaluations.add_metric(labels, count)
        for names, count in failures.items():
            errors.add_metric(names, count)
        for what, count in self._recorder.dropped.items():
            dropped.add_metric((what,), count)
        yield from (evaluations, errors, dropped)
        if self._cache is not None:
            asked, statistics = _asked(), self._cache.statistics
            asked.add_metric(("hit",), statistics.hits)
            asked.add_metric(("miss",), statistics.misses)
            yield asked
        yield from _gauges(self._client.status)


def _evaluations() -> CounterMetricFamily:
    labels = ("flag", "variant", "reason")
    return CounterMetricFamily("switchover_flag_evaluations", "Answers that flags of the set gave.", labels=labels)


def _errors() -> CounterMetricFamily:
    help_text = "Answers of flags of the set that were the caller's default because of an error."
    return CounterMetricFamily("switchover_flag_errors", help_text, labels=("flag", "code"))


def _dropped() -> CounterMetricFamily:
    help_text = "What could not be kept while the place was silent: answers, exposures, events."
    return CounterMetricFamily("switchover_flag_dropped_records", help_text, labels=("kind",))


def _asked() -> CounterMetricFamily:
    help_text = "Lookups in the context cache."
    return CounterMetricFamily("switchover_flag_cache_lookups", help_text, labels=("result",))


def _gauges(status: Status | None) -> Iterator[Metric]:
    is_stale = None if status is None else float(status.state is not State.READY)
    age, version = (None, None) if status is None else (status.age_seconds, status.version)
    yield GaugeMetricFamily("switchover_flag_set_age_seconds", "Since the place vouched for the set.", value=age)
    yield GaugeMetricFamily("switchover_flag_set_version", "The version of the set that answers.", value=version)
    yield GaugeMetricFamily(
        "switchover_flags_stale", "1 where the set may be old, or has not come yet.", value=is_stale
    )
