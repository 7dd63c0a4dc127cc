"""The port `Signals` on the counters of a gateway, as a Prometheus has scraped them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from switchover.adapters.prometheus_api import BadQueryError, PrometheusApi, PrometheusSilentError, Sample
from switchover.adapters.prometheus_interval import find_interval_obstacles, render_interval
from switchover.adapters.prometheus_presets import choose_queries
from switchover.adapters.prometheus_queries import Place, fill, fits_budget, near_budgets
from switchover.config_cluster import PrometheusConfig
from switchover.errors import InputError, SwitchoverError, TargetError
from switchover.model import WHOLE, Colour, JudgeSettings, Obstacle, Step, Tallies, Tally, Workload
from switchover.ports import Clock, Ledger

# Two scrapes at the longest interval that is usual, and some time for them to be ingested.
STALE_SECONDS = 150.0
PATIENCE_SECONDS = 45.0
_COLOUR, _KIND = "switchover_colour", "switchover_kind"
_KINDS = ("requests", "errors", "slow", "newest")
_PLACE = "section `prometheus` of the environment"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was counted, and how many seconds ago the last sample of either colour was taken; None: there is none."""

    tallies: dict[Colour, Tallies]
    age: float | None


def read_token(config: PrometheusConfig, environ: Mapping[str, str]) -> str:
    """The bearer token; empty when none is configured. Raises `InputError` when its variable is not set."""
    if config.token_variable is None:
        return ""
    token = environ.get(config.token_variable, "").strip()
    if not token:
        raise InputError(
            "Prometheus cannot be asked",
            expected=f"a token in the variable {config.token_variable}",
            found="nothing",
            next_step=f"set {config.token_variable}, or leave `token_variable` out",
        )
    return token


class PrometheusSignals:
    """Counts that are as old as the last scrape.

    A source that is not scraped any more counts nothing. When nobody has counted for either colour for
    `STALE_SECONDS`, when what was there has vanished, or when Prometheus is silent, the last counts are repeated for
    `PATIENCE_SECONDS`, so nothing is counted meanwhile; then that is an error, because a judge that sees nothing
    must not go on believing what it saw before.
    """

    def __init__(
        self,
        config: PrometheusConfig,
        namespace: str,
        routes: Mapping[str, str],
        read_token: Callable[[], str],
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        """Give `routes` for those services whose route object has another name than they have.

        The token is read when something is asked. Raises `InputError` for an address that cannot be used.
        """
        self._api = PrometheusApi(config.url, read_token)
        self._queries = choose_queries(config)
        self._namespace = namespace
        self._routes = routes
        self._ledger = ledger
        self._clock = clock
        self._last: dict[str, tuple[float, _Reading]] = {}

    @property
    def address(self) -> str:
        """Where Prometheus is asked."""
        return self._api.address

    def read_tallies(self, service: str) -> dict[Colour, Tallies]:
        """Cumulative counts per colour and process that counts; its labels name the source.

        Slow are those over the latency budget of the workload that the ledger has in the colour. Raises
        `PrometheusSilentError` as said above, `InputError` for queries that do not count and for a missing token.
        """
        now = self._clock.now()
        try:
            reading = self._read(service)
            self._refuse_blind(service, reading)
        except PrometheusSilentError:
            last = self._last.get(service)
            if last is None or now - last[0] > PATIENCE_SECONDS:
                raise
            return last[1].tallies
        self._last[service] = now, reading
        return reading.tallies

    def read_throttled(self, service: str, colour: Colour, pods: Collection[str]) -> bool | None:
        """Whether one of these pods of the colour was held back at its CPU limit, as the preset or an own query says.

        Series of other pods are left out: those of the release before are seen for minutes after their end. None:
        nobody says, or Prometheus is silent for now. Raises `InputError` for an own query that is wrong.
        """
        query = fill(self._queries.throttled, self._queries, self._place(service, colour, 1))
        try:
            samples = self._api.ask(query, "throttled")
        except PrometheusSilentError:
            return None
        own = [sample for sample in samples if sample.labels.get("pod") in {None, *pods}]
        return any(sample.value > 0 for sample in own) if own else None

    def find_obstacles(
        self,
        service: str,
        workload: Workload,
        steps: tuple[Step, ...],
        no_data_seconds: float = JudgeSettings().no_data_seconds,
    ) -> tuple[Obstacle, ...]:
        """What would keep a rollout of this workload from being watched. Changes nothing.

        The judge holds no data for `no_data_seconds`, which must not be what lies between two scrapes anyway.
        Without a canary that is only a missing token: whoever deploys at once may do so while Prometheus is silent.
        """
        try:
            self._api.require_token()
        except SwitchoverError as error:
            return (_as_obstacle(error),)
        if all(step.canary_percent == WHOLE for step in steps):
            return ()
        found: list[Obstacle] = []
        budget = workload.latency_budget_ms
        if not fits_budget(self._queries, budget):
            near = " or ".join(f"{one} ms" for one in near_budgets(self._queries, budget))
            found.append(
                Obstacle(
                    f"{service}: latency_budget_ms",
                    f"a bound of the gateway's histogram: {near}",
                    f"{budget} ms, which nobody counts",
                    "take one of them, or give an own query `slow`",
                )
            )
        try:
            self._refuse_blind(service, self._read(service))
            found.extend(self._find_interval_obstacles(service, no_data_seconds))
        except SwitchoverError as error:
            found.append(_as_obstacle(error))
        return tuple(found)

    def _find_interval_obstacles(self, service: str, no_data_seconds: float) -> tuple[Obstacle, ...]:
        times = [f"(\n{fill(self._queries.taken, self._queries, self._place(service, each, 1))}\n)" for each in Colour]
        samples = self._api.ask(render_interval(times), f"of how often {service} is scraped")
        return find_interval_obstacles(samples[0].value, no_data_seconds) if samples else ()

    def _read(self, service: str) -> _Reading:
        # One question for everything, so that all of it is of the same moment.
        parts = self._render(service)
        question = " or ".join(
            f'label_replace(label_replace({query}, "{_COLOUR}", "{colour}", "", ""), "{_KIND}", "{kind}", "", "")'
            for (colour, kind), query in parts.items()
        )
        try:
            samples = self._api.ask(question, f"of all counts of {service}")
        except BadQueryError:
            for (_, kind), query in parts.items():
                self._api.ask(query, kind)
            raise
        return _gather(service, samples, histogram=bool(self._queries.bounds))

    def _render(self, service: str) -> dict[tuple[Colour, str], str]:
        record = self._ledger.read().services.get(service)
        parts = {}
        for colour in Colour:
            workload = record.slot(colour).workload if record else None
            place = self._place(service, colour, (workload or _NO_WORKLOAD).latency_budget_ms)
            for kind in _KINDS:
                # In lines of their own, because a query may end with a comment.
                parts[colour, kind] = f"(\n{fill(getattr(self._queries, kind), self._queries, place)}\n)"
        return parts

    def _place(self, service: str, colour: Colour, budget_ms: int) -> Place:
        return Place(self._namespace, service, colour, self._routes.get(service, service), budget_ms)

    def _refuse_blind(self, service: str, reading: _Reading) -> None:
        last = self._last.get(service)
        if reading.age is None and (last is None or last[1].age is None):
            return  # never counted yet: some gateways begin with the first request
        if reading.age is None or reading.age > STALE_SECONDS:
            raise PrometheusSilentError(
                f"nobody counts the requests to {service} any more",
                expected=f"a sample in the last {STALE_SECONDS:g} s",
                found="no series" if reading.age is None else f"the last one is {reading.age:.0f} s old",
                next_step=f"see in {self._api.address} whether the gateway is scraped",
            )


_NO_WORKLOAD = Workload((), 0, "/")


def _as_obstacle(error: SwitchoverError) -> Obstacle:
    problem = error.problem
    return Obstacle(_PLACE, problem.expected, f"{problem.failed}: {problem.found}", problem.next_step)


def _gather(service: str, samples: tuple[Sample, ...], *, histogram: bool) -> _Reading:
    counts: dict[Colour, dict[str, dict[str, int]]] = {colour: defaultdict(dict) for colour in Colour}
    ages = []
    for sample in samples:
        colour, kind, source = _read_labels(sample)
        if kind == "newest":
            ages.append(max(0.0, sample.at - sample.value))
        else:
            kinds = counts[colour][source]
            kinds[kind] = kinds.get(kind, 0) + _as_count(sample.value, kind)
    for sources in counts.values():
        for source, kinds in sources.items():
            _refuse_partial(service, source, kinds, histogram=histogram)
    return _Reading(
        {colour: {source: Tally(**kinds) for source, kinds in sources.items()} for colour, sources in counts.items()},
        min(ages, default=None),
    )


def _read_labels(sample: Sample) -> tuple[Colour, str, str]:
    """Colour, kind, and all other labels as the name of the source."""
    colour, kind = sample.labels.get(_COLOUR, ""), sample.labels.get(_KIND, "")
    if colour not in tuple(Colour) or kind not in _KINDS:
        raise TargetError(
            "the answer to the query of all counts cannot be used",
            expected="series with the labels that the query gives them",
            found=str(dict(sample.labels))[:200],
            next_step="see what stands between here and Prometheus",
        )
    own = {_COLOUR, _KIND, "__name__"}
    rest = sorted(f"{name}={value}" for name, value in sample.labels.items() if name not in own)
    return Colour(colour), kind, ",".join(rest) or "all"


def _as_count(value: float, kind: str) -> int:
    # A difference of two counters that were not written at once may be below zero for a moment.
    if value != value or abs(value) == float("inf") or value != int(value):  # noqa: PLR0124 only NaN is not itself
        raise InputError(
            f"the query {kind} does not count",
            expected="a raw counter: a whole number that only grows",
            found=f"{value:g}",
            next_step=f"leave out rate() and increase(), in the {_PLACE}",
        )
    return max(0, int(value))


def _refuse_partial(service: str, source: str, kinds: Mapping[str, int], *, histogram: bool) -> None:
    """A preset whose histogram has no such bucket would pass everything as fast; errors of nobody would be lost."""
    if histogram and kinds.get("requests", 0) > 0 and "slow" not in kinds:
        found = "none from `slow`: the histogram has no bucket at the latency budget"
    elif not kinds.get("requests") and (kinds.get("errors") or kinds.get("slow")):
        found = "none from `requests`"
    else:
        return
    raise InputError(
        f"the queries for {service} do not belong together",
        expected="series with the same labels from `requests`, `errors` and `slow`",
        found=f"for {source} {found}",
        next_step=f"aggregate them by the same labels in the {_PLACE}",
    )
