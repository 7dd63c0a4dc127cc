"""The promises of the port `Signals`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from switchover.adapters.prometheus_signals import PrometheusSignals
from switchover.adapters.waiting import wait_until
from switchover.config_cluster import PrometheusConfig
from switchover.model import Colour, Route, Tally, Workload, count_since
from switchover.ports import Signals
from tests.contracts.conftest import Case, FakeCase, RealCase
from tests.fakes import FakeClock, FakeSignals
from tests.local_target_fixtures import LocalCase
from tests.prometheus_fixtures import NAMESPACE, Asked, BudgetLedger, bridging, prometheus, serving, vector

EPOCH = 1
CASES = {
    "fake_case": "fakes",
    "process_case": "envoy and supervisord",
    "stand_in_case": "a stand-in for prometheus",
    "scraped_case": "prometheus and envoy",
}
# A part of the one question that is asked, when the query in it is one word.
PART = re.compile(
    r'\(\n(?:max\(timestamp\()?(\w+)(?:\)\))?\n\), "switchover_colour", "(\w+)", "", ""\), "\w+", "(\w+)"'
)


@dataclass(slots=True)
class StandInCase(FakeCase):
    """The fakes, but what is counted is read through HTTP and the API of Prometheus."""

    asking: Signals | None = None

    @property
    def signals(self) -> Signals:
        assert self.asking is not None
        return self.asking


@dataclass(slots=True)
class ScrapedCase(RealCase):
    """Envoy and processes, but what Envoy counts of users is read from a Prometheus that scrapes it."""

    asking: Signals | None = None

    @property
    def signals(self) -> Signals:
        assert self.asking is not None
        return self.asking


def ask_at(url: str, **queries: str) -> PrometheusSignals:
    config = PrometheusConfig.model_validate({"url": url, **queries})
    return PrometheusSignals(config, NAMESPACE, {}, str, BudgetLedger(), FakeClock())


def respond_with(signals: FakeSignals, service: str, asked: Asked) -> bytes:
    tallies = signals.read_tallies(service)
    samples = []
    for _, colour, kind in PART.findall(asked.form["query"]):
        for source, tally in tallies[Colour(colour)].items():
            labels = {"instance": source, "switchover_colour": colour, "switchover_kind": kind}
            samples.append((labels, 1000 if kind == "newest" else getattr(tally, kind)))
    return vector(*samples)


@pytest.fixture
def stand_in_case() -> Iterator[Case]:
    case = StandInCase()
    counts = case.target.signals
    with serving(lambda asked: (200, respond_with(counts, case.service, asked))) as address:
        case.asking = ask_at(f"http://{address}", requests="requests", errors="errors", slow="slow")
        yield case


@pytest.fixture(scope="module")
def prometheus_url(local: LocalCase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("scraped") / "prometheus"
    with bridging(local.target._folder.admin_socket) as envoy, prometheus(folder, envoy) as url:
        yield url


@pytest.fixture
def scraped_case(process_case: RealCase, prometheus_url: str) -> Case:
    own = {kind: f'envoy_users_{{route}}_{kind}{{cluster="{{workload}}"}}' for kind in ("requests", "errors", "slow")}
    return ScrapedCase(process_case.service, process_case.local, ask_at(prometheus_url, **own))


@pytest.fixture(params=list(CASES), ids=list(CASES.values()))
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.getfixturevalue(request.param)
    return case


def start_both(case: Case, workload: Workload) -> None:
    for colour in Colour:
        case.slots.start(case.publish("1.0.0"), colour, workload, epoch=EPOCH)
    for colour in Colour:
        case.wait_ready(colour)


def count_all(case: Case) -> dict[Colour, Tally]:
    return {colour: count_since(sources, {}) for colour, sources in case.signals.read_tallies(case.service).items()}


def wait_for(case: Case, blue: Tally, green: Tally) -> None:
    # A request is counted when it is over, which may be just after its user has the answer, or with the next scrape.
    expected = {Colour.BLUE: blue, Colour.GREEN: green}
    wait_until(lambda: count_all(case) == expected, 10.0)
    assert count_all(case) == expected


def test_a_service_that_nobody_asked_has_zero_counts(case: Case) -> None:
    assert count_all(case) == {Colour.BLUE: Tally(), Colour.GREEN: Tally()}


def test_requests_errors_and_slow_answers_are_counted_exactly_per_colour(case: Case, workload: Workload) -> None:
    start_both(case, workload)
    case.router.set_route(case.service, Route(100, 0), epoch=EPOCH)
    case.send(30, "/")
    case.send(5, "/fail")
    case.router.set_route(case.service, Route(0, 100), epoch=EPOCH)
    case.send(20, "/")
    case.send(2, "/slow?seconds=0.15")
    wait_for(case, blue=Tally(35, 5, 0), green=Tally(22, 0, 2))


def test_probes_and_health_checks_are_not_counted(case: Case, workload: Workload) -> None:
    start_both(case, workload)
    case.router.set_route(case.service, Route(50, 50), epoch=EPOCH)
    for _ in range(5):
        case.router.confirm_route(case.service, Route(50, 50))
        case.slots.read_status(case.service, Colour.GREEN)
    wait_for(case, blue=Tally(), green=Tally())


def test_answers_of_the_router_itself_count_as_errors_of_the_colour(case: Case) -> None:
    case.router.set_route(case.service, Route(0, 100), epoch=EPOCH)
    assert case.send(10, "/") == {"green 503": 10}
    wait_for(case, blue=Tally(), green=Tally(10, 10, 0))
