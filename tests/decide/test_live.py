from __future__ import annotations

import pytest

from switchover.decide.live import Live, find_live
from switchover.errors import InputError
from switchover.model import Colour, Route, ServiceRecord, SlotStatus
from tests.builders import a_begun_record, a_live_record

EMPTY, RUNNING = SlotStatus(0, 0), SlotStatus(2, 2, version="0.9.0")


def statuses(blue: SlotStatus, green: SlotStatus) -> dict[Colour, SlotStatus]:
    return {Colour.BLUE: blue, Colour.GREEN: green}


def test_what_the_ledger_and_the_route_agree_on_is_live() -> None:
    service = a_live_record("1.0.0").services["shop"]
    assert find_live("shop", service, Route(100, 0), statuses(RUNNING, EMPTY)) == Live(Colour.BLUE, "1.0.0")


def test_a_router_that_does_not_answer_is_not_held_against_the_ledger() -> None:
    service = a_live_record("1.0.0").services["shop"]
    assert find_live("shop", service, None, statuses(RUNNING, EMPTY)).colour is Colour.BLUE


@pytest.mark.parametrize("green", [1, 50, 100])
def test_a_route_that_somebody_changed_by_hand_is_refused(green: int) -> None:
    service = a_live_record("1.0.0").services["shop"]
    with pytest.raises(InputError, match="changed it by hand"):
        find_live("shop", service, Route(100 - green, green), statuses(RUNNING, RUNNING))


def test_a_route_in_the_middle_of_a_rollout_is_that_rollouts_matter() -> None:
    service = a_begun_record().services["shop"]
    assert find_live("shop", service, Route(50, 50), statuses(RUNNING, RUNNING)).colour is Colour.BLUE


def test_with_nothing_there_nothing_is_live() -> None:
    assert find_live("shop", ServiceRecord(), Route(100, 0), statuses(EMPTY, EMPTY)) == Live()


@pytest.mark.parametrize("colour", list(Colour))
def test_what_serves_already_is_adopted_and_not_overwritten(colour: Colour) -> None:
    both = statuses(RUNNING, EMPTY) if colour is Colour.BLUE else statuses(EMPTY, RUNNING)
    assert find_live("shop", ServiceRecord(), Route.giving(colour, 100), both) == Live(colour, "0.9.0")


def test_a_colour_that_runs_without_traffic_is_idle() -> None:
    assert find_live("shop", ServiceRecord(), Route(100, 0), statuses(RUNNING, RUNNING)).colour is Colour.BLUE


def test_two_colours_that_serve_and_that_nobody_wrote_down_are_a_persons_matter() -> None:
    with pytest.raises(InputError, match="which colour of shop is live"):
        find_live("shop", ServiceRecord(), Route(60, 40), statuses(RUNNING, RUNNING))
