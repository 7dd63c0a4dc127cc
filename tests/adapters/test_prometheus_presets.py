"""The preset `envoy` against a real Envoy that a real Prometheus scrapes: which of its counters move, and when."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from switchover.adapters.prometheus_api import BadQueryError, PrometheusApi, PrometheusSilentError
from switchover.adapters.prometheus_presets import PRESETS
from switchover.adapters.prometheus_queries import Place, fill
from switchover.adapters.prometheus_signals import PATIENCE_SECONDS, PrometheusSignals
from switchover.adapters.waiting import wait_until
from switchover.config_cluster import PrometheusConfig
from switchover.errors import InputError
from switchover.model import Colour, Step, Tallies, Tally, Workload, count_since
from tests.fakes import FakeClock
from tests.prometheus_fixtures import NAMESPACE, Asked, BudgetLedger, Gateway, free_port, gateway, prometheus, serving

BLUE, GREEN = Colour.BLUE, Colour.GREEN
CONTOUR = {colour: f"{NAMESPACE}_shop-{colour}_80" for colour in Colour}
ENVOY_GATEWAY = {colour: f"service/{NAMESPACE}/shop-{colour}/80" for colour in Colour}
BUDGET_MS = 250
CANARY = (Step(10, 1.0), Step(100, 1.0))


def answer(asked: Asked) -> tuple[int, bytes]:
    if asked.path.startswith("/slow"):
        time.sleep(float(asked.path.partition("=")[2]))
    return {"/fail": 500, "/missing": 404, "/hang-up": 0}.get(asked.path, 200), b"ok"


@dataclass(slots=True)
class Scene:
    """A gateway, a Prometheus that scrapes it, and the signals that ask that."""

    gateway: Gateway
    signals: PrometheusSignals
    clock: FakeClock

    def count(self) -> dict[Colour, Tally]:
        return {colour: count_since(sources, {}) for colour, sources in self.signals.read_tallies("shop").items()}

    def wait_for(self, colour: Colour, expected: Tally) -> None:
        wait_until(lambda: self.count()[colour] == expected, 10.0)
        assert self.count()[colour] == expected


def signals_of(url: str, clock: FakeClock, **config: str) -> PrometheusSignals:
    settings = PrometheusConfig.model_validate({"url": url, "preset": "envoy", **config})
    return PrometheusSignals(settings, NAMESPACE, {}, str, BudgetLedger({"shop": BUDGET_MS}), clock)


@pytest.fixture
def backend() -> Iterator[str]:
    with serving(answer) as address:
        yield address


@contextlib.contextmanager
def scene_with(folder: Path, ends: dict[Colour, str | None], names: dict[Colour, str]) -> Iterator[Scene]:
    with gateway(folder / "envoy", ends, names) as envoy, prometheus(folder / "prometheus", envoy.admin) as url:
        clock = FakeClock()
        scene = Scene(envoy, signals_of(url, clock), clock)
        assert wait_until(lambda: bool(scene.signals.read_tallies("shop")[BLUE]), 20.0)
        assert scene.count() == {BLUE: Tally(), GREEN: Tally()}
        yield scene


def test_what_users_were_answered_is_counted_and_each_kind_of_trouble_is_an_error(tmp_path: Path, backend: str) -> None:
    with scene_with(tmp_path, {BLUE: backend, GREEN: None}, CONTOUR) as scene:
        send = scene.gateway.send
        assert send(BLUE, "/", 10) | send(BLUE, "/missing") == {200, 404}
        assert send(BLUE, "/fail", 3) == {500}
        assert send(BLUE, "/hang-up") == {503}
        assert send(BLUE, "/slow?s=0.4", 2) == {200}
        assert send(BLUE, "/slow?s=1.5") == {504}  # the gateway gave up after a second
        assert send(GREEN, "/", 4) == {503}  # no healthy upstream
        scene.wait_for(BLUE, Tally(18, 5, 3))
        scene.wait_for(GREEN, Tally(4, 4, 0))


def test_a_refused_connection_that_was_tried_twice_is_one_request_and_one_error(tmp_path: Path, backend: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with scene_with(tmp_path, {BLUE: backend, GREEN: nobody}, ENVOY_GATEWAY) as scene:
        assert scene.gateway.send(GREEN, "/", 5) == {503}
        scene.gateway.send(BLUE, "/", 2)
        scene.wait_for(GREEN, Tally(5, 5, 0))
        scene.wait_for(BLUE, Tally(2, 0, 0))


def test_a_gateway_that_starts_again_counts_from_zero_and_one_that_is_gone_is_noticed(
    tmp_path: Path, backend: str
) -> None:
    ends: dict[Colour, str | None] = {BLUE: backend, GREEN: backend}
    with contextlib.ExitStack() as stack:
        envoy = stack.enter_context(gateway(tmp_path / "envoy", ends, CONTOUR))
        url_of = prometheus(tmp_path / "prometheus", envoy.admin)
        with url_of as url:
            clock = FakeClock()
            scene = Scene(envoy, signals_of(url, clock), clock)
            envoy.send(BLUE, "/", 20)
            scene.wait_for(BLUE, Tally(20))
            before = scene.signals.read_tallies("shop")
            stack.close()
            assert wait_until(lambda: _since(scene, before) == Tally() and _blind(scene), 20.0)
            assert scene.signals.read_tallies("shop") == before  # patience: nothing is counted
            with gateway(tmp_path / "envoy", ends, CONTOUR) as again:
                again.send(BLUE, "/fail", 3)
                assert wait_until(lambda: _since(scene, before) == Tally(3, 3), 20.0), scene.signals.read_tallies(
                    "shop"
                )
                clock.sleep(PATIENCE_SECONDS + 1)
                assert scene.count()[BLUE] == Tally(3, 3)
            clock.sleep(PATIENCE_SECONDS + 1)
            assert wait_until(lambda: _fails(scene), 20.0)


def _since(scene: Scene, before: dict[Colour, Tallies]) -> Tally:
    return count_since(scene.signals.read_tallies("shop")[BLUE], before[BLUE])


def _blind(scene: Scene) -> bool:
    """Whether somebody who asks for the first time sees nothing."""
    return signals_of(scene.signals.address, scene.clock).read_tallies("shop") == {BLUE: {}, GREEN: {}}


def _fails(scene: Scene) -> bool:
    scene.clock.sleep(PATIENCE_SECONDS + 1)
    try:
        scene.signals.read_tallies("shop")
    except PrometheusSilentError as error:
        return "nobody counts the requests to shop any more" in str(error)
    return False


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has nothing."""
    with prometheus(tmp_path_factory.mktemp("empty") / "prometheus") as url:
        yield url


@pytest.mark.parametrize("preset", list(PRESETS))
def test_prometheus_understands_every_query_and_finds_nothing_where_nothing_is(empty: str, preset: str) -> None:
    signals = signals_of(empty, FakeClock(), preset=preset)
    assert signals.read_tallies("shop") == {BLUE: {}, GREEN: {}}
    assert signals.read_throttled("shop", GREEN, ["shop-green-1-abcde"]) is None
    assert signals.find_obstacles("shop", Workload((), 1, "/", latency_budget_ms=500), CANARY) == ()


@pytest.mark.parametrize("kind", ["requests", "errors", "slow", "throttled"])
def test_an_own_query_with_a_mistake_is_named_with_the_words_of_prometheus(empty: str, kind: str) -> None:
    signals = signals_of(empty, FakeClock(), **{kind: "sum by (instance) (oops{"})
    with pytest.raises(BadQueryError, match=rf"the query {kind} is not understood(?s:.*)parse error"):
        signals.read_throttled("shop", BLUE, []) if kind == "throttled" else signals.read_tallies("shop")


def test_a_rate_is_no_count(empty: str) -> None:
    signals = signals_of(empty, FakeClock(), requests="vector(1.5)")
    with pytest.raises(InputError, match=r"requests does not count(?s:.*)leave out rate"):
        signals.read_tallies("shop")


@dataclass(frozen=True, slots=True)
class Series:
    """Samples that a stand-in for an exporter shows, to a real Prometheus."""

    lines: tuple[str, ...]

    def respond(self, _asked: Asked) -> tuple[int, bytes]:
        return 200, ("\n".join(self.lines) + "\n").encode()


def nginx(labels: str, requests: int, fast: int) -> tuple[str, ...]:
    times = "nginx_ingress_controller_request_duration_seconds"
    return (
        f"nginx_ingress_controller_requests{{{labels}}} {requests}",
        f"{times}_count{{{labels}}} {requests}",
        f'{times}_bucket{{{labels},le="0.25"}} {fast}',
        f'{times}_bucket{{{labels},le="0.5"}} {requests}',
    )


def istio(labels: str, requests: int, fast: int) -> tuple[str, ...]:
    place = 'reporter="source",destination_service_namespace="prod",'
    times = "istio_request_duration_milliseconds"
    return (
        f"istio_requests_total{{{place}{labels}}} {requests}",
        f"{times}_count{{{place}{labels}}} {requests}",
        f'{times}_bucket{{{place}{labels},le="250"}} {fast}',
    )


EXPORTED = {
    "ingress-nginx": Series(
        (
            *nginx('namespace="prod",ingress="shop",service="shop-blue",canary="",status="200"', 90, 80),
            *nginx('namespace="prod",ingress="shop",service="shop-blue",canary="",status="502"', 5, 5),
            *nginx(
                'namespace="prod",ingress="shop",service="shop-blue",canary="prod-shop-green-80",status="200"', 7, 6
            ),
            *nginx(
                'namespace="prod",ingress="shop",service="shop-blue",canary="prod-shop-green-80",status="500"', 2, 2
            ),
            *nginx('namespace="other",ingress="shop",service="shop-blue",canary="",status="500"', 40, 0),
        )
    ),
    "istio": Series(
        (
            *istio('destination_service_name="shop-blue",response_code="200",response_flags="-"', 90, 80),
            *istio('destination_service_name="shop-blue",response_code="503",response_flags="UH"', 4, 4),
            *istio('destination_service_name="shop-blue",response_code="200",response_flags="UC"', 1, 1),
            *istio('destination_service_name="shop-green",response_code="200",response_flags="-"', 7, 6),
            *istio('destination_service_name="shop-green",response_code="0",response_flags="UPE,DC"', 2, 2),
            *istio('destination_service_name="other-blue",response_code="500",response_flags="-"', 40, 0),
        )
    ),
}


@pytest.mark.parametrize("preset", list(EXPORTED))
def test_the_other_presets_count_what_such_gateways_export(tmp_path: Path, preset: str) -> None:
    with (
        serving(EXPORTED[preset].respond) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as url,
    ):
        signals = signals_of(url, FakeClock(), preset=preset)
        assert wait_until(lambda: bool(signals.read_tallies("shop")[BLUE]), 20.0)
        counted = {colour: count_since(of, {}) for colour, of in signals.read_tallies("shop").items()}
        assert counted == {BLUE: Tally(95, 5, 10), GREEN: Tally(9, 2, 1)}


def test_the_labels_that_a_scrape_renames_are_found_too(tmp_path: Path) -> None:
    lines = nginx('exported_namespace="prod",namespace="ingress",exported_service="shop-blue",service="metrics"', 9, 9)
    with (
        serving(Series(lines).respond) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as url,
    ):
        signals = signals_of(url, FakeClock(), preset="ingress-nginx")
        assert wait_until(lambda: bool(signals.read_tallies("shop")[BLUE]), 20.0)
        assert count_since(signals.read_tallies("shop")[BLUE], {}) == Tally(9)


@pytest.mark.parametrize("preset", list(EXPORTED))
def test_how_often_a_gateway_is_scraped_is_measured(tmp_path: Path, preset: str) -> None:
    workload = Workload((), 1, "/", latency_budget_ms=BUDGET_MS)
    with (
        serving(EXPORTED[preset].respond) as exporter,
        prometheus(tmp_path / "prometheus", exporter, interval="3s") as url,
    ):
        signals = signals_of(url, FakeClock(), preset=preset)
        assert wait_until(lambda: signals.find_obstacles("shop", workload, CANARY, 4.0) != (), 20.0)
        (obstacle,) = signals.find_obstacles("shop", workload, CANARY, 4.0)
        assert "every 3 s" in obstacle.found
        assert obstacle.fix.startswith("set `no_data_seconds = 6`")
        assert signals.find_obstacles("shop", workload, CANARY, 6.0) == ()


def test_a_histogram_without_a_bucket_at_the_budget_is_refused(tmp_path: Path) -> None:
    lines = nginx('namespace="prod",service="shop-blue"', 9, 9)
    without = Series(tuple(line for line in lines if 'le="0.25"' not in line))
    with (
        serving(without.respond) as exporter,
        prometheus(tmp_path / "prometheus", exporter) as url,
    ):
        signals = signals_of(url, FakeClock(), preset="ingress-nginx")
        workload = Workload((), 1, "/", latency_budget_ms=BUDGET_MS)
        assert wait_until(lambda: signals.find_obstacles("shop", workload, CANARY) != (), 20.0)
        with pytest.raises(InputError, match="no bucket at the latency budget"):
            signals.read_tallies("shop")


@dataclass(slots=True)
class Kubelet:
    """Shows what containers did in the last five minutes, with the times of it, as cAdvisor does: 10 s a scrape."""

    now: float = field(default_factory=lambda: time.time() - 300)

    def respond(self, _asked: Asked) -> tuple[int, bytes]:
        self.now = min(self.now + 10, time.time())
        lines = [
            *self.pod("shop-green-7d9f8c6b5-abcde", 300, 0.5),
            *self.pod("shop-green-7d9f8c6b5-fghij", 300, 0.2),
            *self.pod("shop-green-7d9f8c6b5-young", 60, 1.0),
            *self.pod("shop-blue-66b5dcb6d4-abcde", 300, 0.1),
            *self.pod("shop-green-worker-66b5dcb6d4-abcde", 300, 1.0),
        ]
        return 200, "".join(f"{line}\n" for line in lines).encode()

    def pod(self, name: str, age: float, held_back: float) -> list[str]:
        periods = 10 * (self.now - time.time() + age)
        labels = f'{{namespace="prod",pod="{name}",container="shop"}}'
        at = f"{self.now * 1000:.0f}"
        shown = {"periods": periods, "throttled_periods": periods * held_back}
        return [f"container_cpu_cfs_{what}_total{labels} {n:.0f} {at}" for what, n in shown.items() if periods > 0]


def test_a_pod_that_is_held_back_at_its_cpu_limit_is_seen_and_no_other_is_blamed(tmp_path: Path) -> None:
    kubelet = Kubelet()
    with serving(kubelet.respond) as exporter, prometheus(tmp_path / "prometheus", exporter) as url:
        signals = signals_of(url, FakeClock())

        def read(colour: Colour, *pods: str) -> bool | None:
            return signals.read_throttled("shop", colour, [f"shop-{colour}-{pod}" for pod in pods])

        # What it shows is of the present when it has been scraped thirty times.
        assert wait_until(lambda: read(BLUE, "66b5dcb6d4-abcde") is False, 30.0)
        assert wait_until(lambda: read(GREEN, "7d9f8c6b5-abcde", "7d9f8c6b5-fghij") is True, 10.0)
        assert read(GREEN, "7d9f8c6b5-fghij") is False
        assert read(GREEN, "7d9f8c6b5-young") is None  # it is starting
        assert read(GREEN, "worker-66b5dcb6d4-abcde") is None  # another service's


def test_every_placeholder_is_filled() -> None:
    for queries in PRESETS.values():
        place = Place(NAMESPACE, "shop", GREEN, "shop", 500)
        for query in (queries.requests, queries.errors, queries.slow, queries.newest, queries.throttled):
            assert "{namespace}" not in fill(query, queries, place)
            assert "{workload}" not in fill(query, queries, place)
            assert "{bound}" not in fill(query, queries, place)


def test_what_answers_is_asked_for_its_name_only() -> None:
    assert repr(PrometheusApi("https://prometheus.example/path", lambda: "secret")) == (
        "PrometheusApi(https://prometheus.example/path)"
    )
