"""Flags as Prometheus metrics: `REGISTRY.register(FlagCollector(client))`. Needs `prometheus-client`.

The labels are bounded by the clients and their sets: a client, a flag, its variants, reasons and error codes. Import
this module late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from switchover.errors import InputError
from switchover.flags.context_cache import CacheStatistics
from switchover.flags.records import Answered
from switchover.flags.resolution import Reason
from switchover.flags.status import State, Status


class Observed(Protocol):
    """A client."""

    @property
    def name(self) -> str:
        """The label `client`."""

    @property
    def status(self) -> Status:
        """How it is doing now."""

    @property
    def recorder(self) -> object:
        """Who counts its answers, if that is a `Counted`."""

    @property
    def cache_statistics(self) -> CacheStatistics | None:
        """How often its cache had the answer; None without one."""


@runtime_checkable
class Counted(Protocol):
    """A recorder that adds up itself."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """What could not be kept, by kind."""

    def collect(self) -> Mapping[Answered, int]:
        """The answers so far."""


class FlagCollector(Collector):
    """Reads clients and their recorders when it is scraped; an evaluation costs nothing more for it.

    Answers are counted where the client has an `ExposureRecorder`; the rest is told of every client. A registry takes
    one collector: give it all clients, each with a name of its own. Raises `InputError` for two of one name.
    """

    def __init__(self, *clients: Observed) -> None:
        twice = sorted(name for name, count in Counter(client.name for client in clients).items() if count > 1)
        if twice:
            raise InputError(
                "the clients cannot be told apart in metrics",
                expected="a name of its own for each",
                found=f"several called {', '.join(twice)}",
                next_step="name them: open_client(place, name=...)",
            )
        self._clients = clients

    def describe(self) -> Iterator[Metric]:
        """The families, without samples."""
        yield from _Families().all

    def collect(self) -> Iterator[Metric]:
        """All that is known now."""
        families = _Families()
        for client in self._clients:
            families.add(client)
        yield from families.all


class _Families:
    """The metrics of one scrape."""

    def __init__(self) -> None:
        self._evaluations = CounterMetricFamily(
            "switchover_flag_evaluations",
            "Answers that flags of the set gave.",
            labels=("client", "flag", "variant", "reason"),
        )
        self._errors = CounterMetricFamily(
            "switchover_flag_errors",
            "Answers of flags of the set that were the caller's default because of an error.",
            labels=("client", "flag", "code"),
        )
        self._dropped = CounterMetricFamily(
            "switchover_flag_dropped_records",
            "What could not be kept while the place was silent: answers, exposures, events.",
            labels=("client", "kind"),
        )
        self._lookups = CounterMetricFamily(
            "switchover_flag_cache_lookups", "Lookups in the context cache.", labels=("client", "result")
        )
        self._age = _gauge("switchover_flag_set_age_seconds", "Since the place vouched for the set.")
        self._version = _gauge("switchover_flag_set_version", "The version of the set that answers.")
        self._stale = _gauge("switchover_flags_stale", "1 where the set may be old, or has not come yet.")

    @property
    def all(self) -> tuple[Metric, ...]:
        return (
            self._evaluations,
            self._errors,
            self._dropped,
            self._lookups,
            self._age,
            self._version,
            self._stale,
        )

    def add(self, client: Observed) -> None:
        name, status, recorder, lookups = client.name, client.status, client.recorder, client.cache_statistics
        if isinstance(recorder, Counted):
            self._add_answers(name, recorder.collect())
            for kind, count in recorder.dropped.items():
                self._dropped.add_metric((name, kind), count)
        if lookups is not None:
            self._lookups.add_metric((name, "hit"), lookups.hits)
            self._lookups.add_metric((name, "miss"), lookups.misses)
        self._age.add_metric((name,), status.age_seconds)
        self._version.add_metric((name,), status.version)
        self._stale.add_metric((name,), float(status.state is not State.READY))

    def _add_answers(self, name: str, found: Mapping[Answered, int]) -> None:
        answers: Counter[tuple[str, str, str]] = Counter()
        failures: Counter[tuple[str, str]] = Counter()
        for kind, count in found.items():
            answers[kind.flag, kind.variant or "", kind.reason] += count
            if kind.reason == Reason.ERROR:
                failures[kind.flag, kind.error or ""] += count
        for labels, count in answers.items():
            self._evaluations.add_metric((name, *labels), count)
        for names, count in failures.items():
            self._errors.add_metric((name, *names), count)


def _gauge(name: str, help_text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, labels=("client",))
