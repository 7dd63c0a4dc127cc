"""The promises of the port `Router`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switchover.errors import FencedError, InputError, TargetError
from switchover.model import Colour, Route, Workload
from tests.contracts.conftest import Case
from tests.contracts.kube_case import cluster_workload, kube_workload
from tests.contracts.kube_route_case import cluster_route_case, kube_route_case
from tests.kube_emulator import KubeEmulator
from tests.local_target_fixtures import make_workload

EPOCH = 1


CLUSTER = pytest.param("cluster", marks=pytest.mark.cluster)


@pytest.fixture(params=["fakes", "envoy and supervisord", "kubernetes gateway", "kubernetes ingress-nginx", CLUSTER])
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


@pytest.fixture
def workload(kind: str) -> Workload:
    if kind == "cluster":
        return cluster_workload()
    return kube_workload() if kind.startswith("kubernetes") else make_workload(latency_budget_ms=100)


def test_a_route_that_was_set_is_read_back_and_confirmed(case: Case) -> None:
    for green in (0, 1, 10, 50, 99, 100):
        route = Route(100 - green, green)
        case.router.set_route(case.service, route, epoch=EPOCH)
        assert case.router.read_route(case.service) == route
        case.router.confirm_route(case.service, route)


def test_setting_the_same_route_again_changes_nothing(case: Case) -> None:
    for _ in range(3):
        case.router.set_route(case.service, Route(40, 60), epoch=EPOCH)
    assert case.router.read_route(case.service) == Route(40, 60)


def test_another_split_than_the_one_in_force_is_not_confirmed(case: Case) -> None:
    case.router.set_route(case.service, Route(90, 10), epoch=EPOCH)
    with pytest.raises(TargetError, match="does not follow its route"):
        case.router.confirm_route(case.service, Route(89, 11))


def test_a_stale_epoch_is_refused_and_the_route_stays(case: Case) -> None:
    case.router.set_route(case.service, Route(90, 10), epoch=EPOCH)
    case.fence.epoch = EPOCH + 1
    with pytest.raises(FencedError):
        case.router.set_route(case.service, Route(0, 100), epoch=EPOCH)
    assert case.router.read_route(case.service) == Route(90, 10)


def test_a_service_without_a_listener_has_no_route_and_gets_none(case: Case) -> None:
    assert case.router.read_route("unheard-of") is None
    with pytest.raises(InputError, match="unheard-of"):
        case.router.set_route("unheard-of", Route(100, 0), epoch=EPOCH)


def test_requests_go_where_the_route_says(case: Case, workload: Workload) -> None:
    for colour in Colour:
        case.slots.start(case.publish("1.0.0"), colour, workload, epoch=EPOCH)
    for colour in Colour:
        case.wait_ready(colour)
    for colour in Colour:
        case.router.set_route(case.service, Route.giving(colour, 100), epoch=EPOCH)
        assert case.send(50, "/") == {f"{colour} 200": 50}


def test_nothing_is_in_flight_when_nobody_asks(case: Case) -> None:
    assert case.router.read_active_requests(case.service, Colour.GREEN) == 0
