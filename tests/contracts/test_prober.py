"""The promises of the port `Prober`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from switchover.model import Colour, SmokeTest, Workload
from tests.contracts.conftest import Case
from tests.contracts.kube_case import cluster_workload, kube_workload
from tests.contracts.kube_route_case import cluster_route_case, kube_route_case
from tests.kube_emulator import KubeEmulator
from tests.local_target_fixtures import make_workload

CLUSTER = pytest.param("cluster", marks=pytest.mark.cluster)


@pytest.fixture(params=["fakes", "envoy and supervisord", "kubernetes", CLUSTER])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(request: pytest.FixtureRequest, kind: str) -> Iterator[Case]:
    """The two of every contract, and Kubernetes."""
    if kind == "cluster":
        with cluster_route_case() as on_cluster:
            yield on_cluster
    elif kind.startswith("kubernetes"):
        emulator: KubeEmulator = request.getfixturevalue("kube_emulator")
        with kube_route_case(emulator, kind.partition(" ")[2] or "gateway") as emulated:
            yield emulated
    else:
        case: Case = request.getfixturevalue({"fakes": "fake_case", "envoy and supervisord": "process_case"}[kind])
        yield case


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the service that is asked answers well, badly and slowly."""

    well: str = "/health"
    says: str = "well"
    badly: str = "/fail"
    status: int = 500
    slowly: str = "/slow?seconds=0.5"


@pytest.fixture
def paths(kind: str) -> Paths:
    return Paths("/healthz", "ok", "/sleep?ms=much", 400, "/sleep?ms=500") if kind == "cluster" else Paths()


@pytest.fixture
def workload(kind: str) -> Workload:
    if kind == "cluster":
        return cluster_workload()
    return kube_workload() if kind.startswith("kubernetes") else make_workload(latency_budget_ms=100)


def start(case: Case, workload: Workload) -> str:
    case.slots.start(case.publish("1.0.0"), Colour.GREEN, workload, epoch=1)
    case.wait_ready(Colour.GREEN)
    return case.slots.read_status(case.service, Colour.GREEN).addresses[0]


def test_an_answer_as_expected_passes(case: Case, workload: Workload, paths: Paths) -> None:
    address = start(case, workload)
    result = case.prober.probe(address, SmokeTest("health", paths.well, body_contains=paths.says))
    assert (result.name, result.passed, result.status) == ("health", True, 200)


def test_another_status_or_body_fails_and_says_so(case: Case, workload: Workload, paths: Paths) -> None:
    address = start(case, workload)
    by_status = case.prober.probe(address, SmokeTest("status", paths.badly))
    by_body = case.prober.probe(address, SmokeTest("body", paths.well, body_contains="rich"))
    assert (by_status.passed, by_status.status) == (False, paths.status)
    assert str(paths.status) in by_status.detail
    assert (by_body.passed, by_body.status) == (False, 200)
    assert "rich" in by_body.detail


def test_an_expected_error_status_passes(case: Case, workload: Workload, paths: Paths) -> None:
    address = start(case, workload)
    assert case.prober.probe(address, SmokeTest("status", paths.badly, expect_status=paths.status)).passed


def test_a_late_answer_fails_without_a_status(case: Case, workload: Workload, paths: Paths) -> None:
    address = start(case, workload)
    result = case.prober.probe(address, SmokeTest("slow", paths.slowly, within_ms=100))
    assert (result.passed, result.status) == (False, None)


def test_where_nobody_listens_the_probe_fails_and_does_not_raise(case: Case) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = case.prober.probe(f"127.0.0.1:{unused.getsockname()[1]}", SmokeTest("any", "/health"))
    assert (result.passed, result.status) == (False, None)
    assert result.detail
