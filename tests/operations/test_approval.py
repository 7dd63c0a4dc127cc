from __future__ import annotations

import pytest

from switchover.errors import FencedError, InputError, UnhealthyError
from switchover.model import Approval, Phase
from switchover.operations.approval import answer_approval
from switchover.operations.recovery import recover_abandoned
from switchover.operations.rollback import RollbackRequest
from tests.operations.house import House, bring_back


def an_answer(*, approved: bool, by: str = "Ada") -> Approval:
    return Approval(approved, by, "seen it", 1.0)


@pytest.fixture
def house() -> House:
    """1.0.0 is live on blue; the next deployment needs somebody's word within a minute."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    house.approval_seconds = 60.0
    house.target.effects.clear()
    return house


def recovered(house: House) -> None:
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "watchdog")
    house.assert_one_healthy_colour("1.0.0")
    assert not any(effect.startswith("route") and not effect.endswith(" 0") for effect in house.target.effects)


def test_an_approved_release_gets_its_users(house: House) -> None:
    house.answer(an_answer(approved=True))
    assert house.deploy("1.1.0").outcome == "live"
    house.assert_one_healthy_colour("1.1.0")


def test_the_first_release_of_all_asks_nobody() -> None:
    house = House(approval_seconds=60.0)
    assert house.deploy("1.0.0").outcome == "live"


def test_a_rejected_release_never_has_a_user_and_the_old_colour_goes_on(house: House) -> None:
    house.answer(an_answer(approved=False))
    with pytest.raises(UnhealthyError, match="Ada rejected it: seen it"):
        house.deploy("1.1.0")
    recovered(house)


def test_nobody_answering_in_time_is_a_no(house: House) -> None:
    with pytest.raises(UnhealthyError, match="nobody answered within 60 s"):
        house.deploy("1.1.0")
    recovered(house)


def test_the_first_answer_counts(house: House) -> None:
    house.answer(an_answer(approved=True, by="Ada"))
    house.answer(an_answer(approved=False, by="Bob"))
    assert house.deploy("1.1.0").outcome == "live"


def test_an_answer_that_nobody_asked_for_is_refused(house: House) -> None:
    with pytest.raises(InputError, match="does not wait for an approval"):
        answer_approval(house.ports(), "shop", an_answer(approved=True))


def test_a_rollback_while_it_waits_takes_it_back_and_the_deployer_sees_that_it_is_fenced(house: House) -> None:
    def roll_back_at_once(_now: float) -> None:
        rollout = house.service.rollout
        if rollout is not None and rollout.phase is Phase.APPROVING:
            bring_back(house.ports(), RollbackRequest("shop", None, "a person", "no", "rollback-1"))

    house.clock.on_sleep = roll_back_at_once
    with pytest.raises(FencedError):
        house.deploy("1.1.0")
    house.assert_one_healthy_colour("1.0.0")
    with pytest.raises(InputError):
        answer_approval(house.ports(), "shop", an_answer(approved=True))


def test_an_answer_to_another_release_or_rollout_is_refused(house: House) -> None:
    refused: list[str] = []

    def answer_the_wrong_one(_now: float) -> None:
        rollout = house.service.rollout
        if rollout is None or rollout.phase is not Phase.APPROVING:
            return
        for looked_at in ({"rollout_id": "an older run"}, {"version": "0.9.0"}):
            with pytest.raises(InputError, match="does not wait"):
                answer_approval(house.ports(), "shop", an_answer(approved=True), **looked_at)  # type: ignore[arg-type]
            refused.append(str(looked_at))
        answer_approval(house.ports(), "shop", an_answer(approved=True), rollout_id=rollout.id, version="1.1.0")

    house.serve_traffic()
    serve = house.clock.on_sleep
    house.clock.on_sleep = lambda now: (serve(now), answer_the_wrong_one(now))  # type: ignore[assignment,func-returns-value]
    assert house.deploy("1.1.0").outcome == "live"
    assert refused
