"""What must not stand in the way of a rollback, and what a target that is away for a moment must not end."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from switchover.errors import TargetError, UnhealthyError, UnseenError
from switchover.model import Colour, Route, SlotStatus, SmokeTest
from switchover.operations.lease import acquire, kept_alive
from switchover.operations.patience import PATIENCE_SECONDS
from switchover.operations.rollback import RollbackRequest
from switchover.operations.rollout import begin, run_smoke_tests, start_slot
from tests.operations.house import House, bring_back

AWAY = TargetError("the API server is away", expected="an answer", found="none", next_step="wait")
UNSEEN = UnseenError("nobody can see it", expected="an answer", found="connection refused", next_step="look")


@pytest.fixture
def house() -> House:
    """1.0.0 was live, 1.1.0 is live on green, traffic flows."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    house.deploy("1.1.0")
    return house


def a_request() -> RollbackRequest:
    return RollbackRequest("shop", None, "a person", "asked for", "rollback-1")


def test_a_rollback_whose_probes_do_not_come_through_counts_what_the_control_plane_says(house: House) -> None:
    house.target.router.failures.add("confirm_route", *[UNSEEN] * 10)
    bring_back(house.ports(), a_request())
    house.assert_one_healthy_colour("1.0.0")


def test_what_was_kept_before_the_bad_release_is_not_replaced_by_a_rollback(house: House) -> None:
    kept = list(house.target.preflight.backed_up)
    bring_back(house.ports(), a_request())
    assert house.target.preflight.backed_up == kept != []


def test_a_rollback_that_users_have_counts_whatever_the_control_plane_says(house: House) -> None:
    set_route = house.target.router.set_route

    def refuse(service: str, route: Route, *, epoch: int) -> None:
        set_route(service, route, epoch=epoch)
        raise AWAY

    house.target.router.set_route = refuse  # type: ignore[method-assign]
    bring_back(house.ports(), a_request())
    house.assert_one_healthy_colour("1.0.0")


def test_neither_accepted_nor_seen_is_an_error(house: House) -> None:
    house.target.router.failures.add("set_route", AWAY, AWAY)
    house.target.router.failures.add("confirm_route", UNSEEN, UNSEEN)
    with pytest.raises(TargetError, match="API server is away"):
        bring_back(house.ports(), a_request())


def test_a_deployment_does_not_go_on_unseen(house: House) -> None:
    house.target.router.failures.add("confirm_route", UNSEEN)
    with pytest.raises(UnseenError):
        house.deploy("1.2.0")


def test_a_target_that_is_away_for_a_moment_ends_no_watch(house: House) -> None:
    reads = 0
    read = house.target.signals.read_tallies

    def read_or_fail(service: str) -> object:
        nonlocal reads
        reads += 1
        if 2 <= reads <= 5:
            raise AWAY
        return read(service)

    house.target.signals.read_tallies = read_or_fail  # type: ignore[method-assign,assignment]
    assert house.deploy("1.2.0").outcome == "live"


def test_a_target_that_stays_away_ends_it(house: House) -> None:
    looks = int(PATIENCE_SECONDS) + 5
    read = house.target.slots.read_log_counts
    seen: list[float] = []

    def fail_when_watched(service: str, colour: Colour) -> tuple[int, int]:
        seen.append(house.clock.now())
        if 1 < len(seen) < looks + 2:
            raise AWAY
        return read(service, colour)

    house.target.slots.read_log_counts = fail_when_watched  # type: ignore[method-assign]
    with pytest.raises(TargetError, match="away"):
        house.deploy("1.2.0")
    assert seen[-1] - seen[1] >= PATIENCE_SECONDS


def test_smoke_tests_never_run_on_nothing(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy", 15.0)
    rollout = begin(ports, claim, house.plan("1.2.0"), rollout_id="run-1", flow_run_id=None)
    rollout = start_slot(ports, claim, rollout)
    read = house.target.slots.read_status

    def without_address(service: str, colour: Colour) -> SlotStatus:
        return replace(read(service, colour), addresses=())

    house.target.slots.read_status = without_address  # type: ignore[method-assign]
    with pytest.raises(UnhealthyError):
        run_smoke_tests(ports, claim, rollout, (SmokeTest("home", "/"),))


def test_a_lease_is_renewed_again_after_a_failure(house: House) -> None:
    ports = house.ports()
    claim = acquire(ports, "deploy", 0.3)
    failures = [AWAY]
    write, written = house.ledger.write, []
    read = house.ledger.read

    def read_or_fail() -> object:
        if failures:
            raise failures.pop()
        written.append(1)
        return read()

    house.ledger.read = read_or_fail  # type: ignore[method-assign,assignment]
    with kept_alive(ports, claim):
        deadline = time.monotonic() + 30
        while not written and time.monotonic() < deadline:
            time.sleep(0.01)
    assert written
    assert house.ledger.write == write


@pytest.mark.parametrize(
    ("status", "fails"),
    [
        (SlotStatus(3, 3, failing_replicas=0), False),
        (SlotStatus(3, 2, failing_replicas=0), False),  # one more was asked for, or one was evicted
        (SlotStatus(3, 2, failing_replicas=1), True),
        (SlotStatus(3, 0, failing_replicas=0), True),
        (SlotStatus(3, 2), True),  # a target that cannot tell
        (SlotStatus(3, 3), False),
    ],
)
def test_only_a_replica_that_was_ready_fails_its_probes(status: SlotStatus, *, fails: bool) -> None:
    assert status.fails_probes is fails
