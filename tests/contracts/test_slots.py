"""The promises of the port `Slots`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.adapters.waiting import wait_until
from switchover.errors import FencedError, InputError
from switchover.model import Colour, Workload
from tests.container_fixtures import container_workload
from tests.contracts.conftest import Case
from tests.contracts.kube_case import cluster_workload, kube_workload
from tests.local_target_fixtures import make_workload

EPOCH = 1


CLUSTER = pytest.param("cluster", marks=pytest.mark.cluster)


@pytest.fixture(params=["fakes", "envoy and supervisord", "envoy and containers", "kubernetes", CLUSTER])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(request: pytest.FixtureRequest, kind: str) -> Case:
    """The two of every contract, containers, and Kubernetes."""
    fixtures = {
        "fakes": "fake_case",
        "envoy and supervisord": "process_case",
        "envoy and containers": "container_case",
        "kubernetes": "kube_case",
        "cluster": "cluster_case",
    }
    case: Case = request.getfixturevalue(fixtures[kind])
    return case


@pytest.fixture
def workload(kind: str) -> Workload:
    if kind == "kubernetes":
        return kube_workload()
    if kind == "cluster":
        return cluster_workload()
    return container_workload() if kind == "envoy and containers" else make_workload()


def test_a_slot_that_was_never_started_is_empty(case: Case) -> None:
    status = case.slots.read_status(case.service, Colour.BLUE)
    assert (status.wanted_replicas, status.ready_replicas, status.addresses) == (0, 0, ())
    assert case.slots.read_log_counts(case.service, Colour.BLUE) == (0, 0)
    assert case.slots.read_log_tail(case.service, Colour.BLUE, 5) == ()


def test_a_started_colour_gets_ready_and_has_addresses(case: Case, kind: str, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.GREEN, replace(workload, replicas=2), epoch=EPOCH)
    case.wait_ready(Colour.GREEN)
    status = case.slots.read_status(case.service, Colour.GREEN)
    assert (status.wanted_replicas, status.ready_replicas, status.failed_replicas) == (2, 2, 0)
    # On Kubernetes the Service of the colour stands for all of them.
    assert len(set(status.addresses)) == (1 if kind in {"kubernetes", "cluster"} else 2)
    assert status.restart_times == ()
    assert not status.out_of_memory


def test_a_colour_has_its_addresses_before_it_is_ready(case: Case, kind: str, workload: Workload) -> None:
    """Or smoke tests could run on nothing, and pass."""
    case.slots.start(case.publish("1.0.0"), Colour.GREEN, replace(workload, replicas=2), epoch=EPOCH)
    at_once = case.slots.read_status(case.service, Colour.GREEN).addresses
    assert len(set(at_once)) == (1 if kind in {"kubernetes", "cluster"} else 2)
    case.wait_ready(Colour.GREEN)
    assert case.slots.read_status(case.service, Colour.GREEN).addresses == at_once


def test_starting_the_same_again_leaves_it_running(case: Case, workload: Workload) -> None:
    release = case.publish("1.0.0")
    case.slots.start(release, Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    before = case.slots.read_status(case.service, Colour.BLUE)
    case.slots.start(release, Colour.BLUE, workload, epoch=EPOCH)
    assert case.slots.read_status(case.service, Colour.BLUE) == before


def test_another_release_takes_the_place_of_the_one_before(case: Case, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    case.log(Colour.BLUE, "ERROR of the past")
    case.slots.start(case.publish("1.1.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    assert case.slots.read_log_counts(case.service, Colour.BLUE)[1] == 0


def test_a_stopped_colour_is_empty_and_stopping_again_is_no_change(case: Case, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    for _ in range(2):
        case.slots.stop(case.service, Colour.BLUE, epoch=EPOCH)
        assert case.slots.read_status(case.service, Colour.BLUE).wanted_replicas == 0


def test_the_other_colour_is_left_alone(case: Case, workload: Workload) -> None:
    for colour, version in ((Colour.BLUE, "1.0.0"), (Colour.GREEN, "1.1.0")):
        case.slots.start(case.publish(version), colour, workload, epoch=EPOCH)
    for colour in Colour:
        case.wait_ready(colour)
    case.slots.stop(case.service, Colour.GREEN, epoch=EPOCH)
    assert case.slots.read_status(case.service, Colour.BLUE).ready


def test_a_stale_epoch_neither_starts_nor_stops(case: Case, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    case.fence.epoch = EPOCH + 1
    with pytest.raises(FencedError):
        case.slots.stop(case.service, Colour.BLUE, epoch=EPOCH)
    with pytest.raises(FencedError):
        case.slots.start(case.publish("1.1.0"), Colour.GREEN, workload, epoch=EPOCH)
    assert case.slots.read_status(case.service, Colour.BLUE).ready
    assert case.slots.read_status(case.service, Colour.GREEN).wanted_replicas == 0


def test_a_size_that_is_held_and_freed_is_the_size_it_was(case: Case, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    before = case.slots.read_status(case.service, Colour.BLUE)
    case.slots.hold_size(case.service, Colour.BLUE, epoch=EPOCH)
    assert case.slots.read_status(case.service, Colour.BLUE) == before
    for known in (workload, None):
        case.slots.free_size(case.service, Colour.BLUE, known, epoch=EPOCH)
    assert case.slots.read_status(case.service, Colour.BLUE) == before


def test_a_service_that_is_not_here_is_refused(case: Case, workload: Workload) -> None:
    with pytest.raises(InputError, match="unheard-of"):
        case.slots.start(replace(case.publish("1.0.0"), service="unheard-of"), Colour.BLUE, workload, epoch=EPOCH)


def test_log_lines_and_errors_are_counted_from_the_start_on(case: Case, workload: Workload) -> None:
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    lines_before, errors_before = case.slots.read_log_counts(case.service, Colour.BLUE)
    for line in ("all is well", "ERROR it broke", "no terror here"):
        case.log(Colour.BLUE, line)
    lines, errors = wait_for_lines(case, lines_before + 3)
    assert (lines - lines_before, errors - errors_before) == (3, 1)
    assert case.slots.read_log_tail(case.service, Colour.BLUE, 2) == ("ERROR it broke", "no terror here")


def wait_for_lines(case: Case, count: int) -> tuple[int, int]:
    found = (0, 0)

    def there() -> bool:
        nonlocal found
        found = case.slots.read_log_counts(case.service, Colour.BLUE)
        return found[0] >= count

    assert wait_until(there, 5.0), found
    return found
