"""Neither colour may become smaller while a rollout is on; both are free again when it has ended, however it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.decide.deployment import choose_size
from switchover.errors import UnhealthyError
from switchover.model import Approval, Colour, SlotStatus
from switchover.operations.rollback import RollbackRequest
from tests.builders import WORKLOAD
from tests.operations.house import House, bring_back

SCALED = replace(WORKLOAD, replicas=2, max_replicas=10)


def a_house() -> House:
    house = House(workload=SCALED)
    house.deploy("1.0.0")
    house.serve_traffic()
    return house


def test_the_new_colour_starts_as_large_as_an_autoscaler_has_made_the_live_one() -> None:
    house = a_house()
    house.target.slots.script_status("shop", Colour.BLUE, SlotStatus(7, 7))
    started: list[int] = []
    start = house.target.slots.start

    def remember(*args: object, **kwargs: object) -> None:
        started.append(args[2].replicas)  # type: ignore[attr-defined]
        start(*args, **kwargs)  # type: ignore[arg-type]

    house.target.slots.start = remember  # type: ignore[method-assign]
    house.deploy("1.1.0")
    assert started == [7]


@pytest.mark.parametrize(("live", "expected"), [(0, 2), (1, 2), (5, 5), (10, 10), (30, 10)])
def test_a_size_stays_within_the_bounds_of_the_workload(live: int, expected: int) -> None:
    assert choose_size(SCALED, live).replicas == expected


def test_without_an_autoscaler_the_workload_says_its_size() -> None:
    assert choose_size(WORKLOAD, 50) == WORKLOAD


def test_the_live_colour_is_held_while_traffic_moves_and_free_afterwards() -> None:
    house = a_house()
    held: list[bool] = []
    serve = house.clock.on_sleep

    def look(now: float) -> None:
        serve(now)
        rollout = house.service.rollout
        if rollout is not None and rollout.canary_percent:
            held.append(("shop", Colour.BLUE) in house.target.slots.held)

    house.clock.on_sleep = look
    house.deploy("1.1.0")
    assert held
    assert all(held)
    assert not house.target.slots.held


def test_a_retreat_frees_the_colour_that_serves_again() -> None:
    house = a_house()
    house.serve_traffic(new_errors=40)
    with pytest.raises(UnhealthyError):
        house.deploy("1.1.0")
    assert house.target.slots.held == {("shop", Colour.BLUE)}
    bring_back(house.ports(), RollbackRequest("shop", None, "a person", "bad", "rollback-1"))
    assert not house.target.slots.held


def test_a_live_colour_that_grew_meanwhile_does_not_hand_its_users_to_a_smaller_one() -> None:
    house = a_house()
    house.approval_seconds = 60.0
    house.answer(Approval(approved=True, by="Ada", comment="", at=0.0))
    sizes: list[int] = []
    start = house.target.slots.start

    def remember(*args: object, **kwargs: object) -> None:
        sizes.append(args[2].replicas)  # type: ignore[attr-defined]
        start(*args, **kwargs)  # type: ignore[arg-type]
        house.target.slots.script_status("shop", Colour.BLUE, SlotStatus(8, 8))

    house.target.slots.start = remember  # type: ignore[method-assign]
    house.deploy("1.1.0")
    assert sizes == [2, 8]
