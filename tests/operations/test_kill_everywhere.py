"""The kill matrix on fakes: a deployer or a rollback dies before or after every single effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.model import Approval, Migrations
from switchover.operations.recovery import recover_abandoned
from switchover.operations.rollback import RollbackRequest
from tests.builders import WORKLOAD
from tests.operations.house import Bomb, House, Killed, bring_back

MOST_EFFECTS = 40


def a_house() -> House:
    """1.0.0 is live on blue, traffic flows."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    return house


def a_request(version: str | None = None) -> RollbackRequest:
    return RollbackRequest("shop", version, "a person", "asked for", "rollback-1")


def count_effects(kind: str) -> int:
    house, bomb = a_house(), Bomb(None)
    run(house, kind, bomb)
    return len(bomb.seen)


def run(house: House, kind: str, bomb: Bomb) -> None:
    """Do that with the bomb: a deployment of 1.1.0, a redeployment of 1.0.0, or taking a 1.1.0 back from 50 %."""
    if kind == "deploy":
        house.deploy("1.1.0", house.ports(bomb))
    elif kind == "migrated deploy":
        house.workload = replace(WORKLOAD, migrations=Migrations(("up",), ("tidy",), ("down",)))
        house.approval_seconds = 60.0
        house.answer(Approval(approved=True, by="a person", comment="", at=0.0))
        house.deploy("1.1.0", house.ports(bomb))
    elif kind == "redeploy":
        house.deploy("1.1.0")
        bring_back(house.ports(bomb), a_request("1.0.0"))
    else:
        stop_at_half(house)
        bring_back(house.ports(bomb), a_request())


def stop_at_half(house: House) -> None:
    """A deployer that dies with half of the traffic on the new colour."""
    routes = 0

    def die_at_the_second_route(name: str, effect: object) -> object:
        def guarded(*args: object, **kwargs: object) -> object:
            nonlocal routes
            result = effect(*args, **kwargs)  # type: ignore[operator]
            routes += name.endswith("set_route")
            if routes == 2:
                raise Killed(name)
            return result

        return guarded

    with pytest.raises(Killed):
        house.deploy("1.1.0", house.ports(die_at_the_second_route))  # type: ignore[arg-type]
    assert house.target.router.routes["shop"].green_percent == 50


KINDS = ("deploy", "migrated deploy", "redeploy", "retreat")
CELLS = [(kind, number, after) for kind in KINDS for number in range(count_effects(kind)) for after in (False, True)]


@pytest.mark.parametrize(("kind", "number", "after"), CELLS)
def test_killed_at_any_effect_the_environment_comes_back_to_one_healthy_colour(
    kind: str, number: int, *, after: bool
) -> None:
    house = a_house()
    with pytest.raises(Killed):
        run(house, kind, Bomb(number, after=after))
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "watchdog")
    finish_without_rollout(house)
    house.assert_one_healthy_colour("1.0.0", "1.1.0")


@pytest.mark.parametrize(("kind", "number", "after"), CELLS)
def test_a_recovery_that_is_killed_at_any_effect_is_recovered_by_the_next(
    kind: str, number: int, *, after: bool
) -> None:
    for second in range(MOST_EFFECTS):
        for second_after in (False, True):
            house = a_house()
            with pytest.raises(Killed):
                run(house, kind, Bomb(number, after=after))
            house.let_the_lease_expire()
            bomb = Bomb(second, after=second_after)
            try:
                recover_abandoned(house.ports(bomb), "watchdog")
            except Killed:
                house.let_the_lease_expire()
                recover_abandoned(house.ports(), "the next watchdog")
            finish_without_rollout(house)
            house.assert_one_healthy_colour("1.0.0", "1.1.0")
            if len(bomb.seen) <= second:
                return
    pytest.fail("more effects than expected")


@pytest.mark.parametrize(("kind", "number", "after"), CELLS)
def test_after_any_death_the_next_deployment_goes_live(kind: str, number: int, *, after: bool) -> None:
    house = a_house()
    with pytest.raises(Killed):
        run(house, kind, Bomb(number, after=after))
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "deploy of 1.2.0")
    house.deploy("1.2.0")
    house.assert_one_healthy_colour("1.2.0")
    assert house.told.outcomes[-1] == ("1.2.0", "live")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_effects_to_be_killed_at(kind: str) -> None:
    assert 5 < count_effects(kind) < MOST_EFFECTS


def finish_without_rollout(house: House) -> None:
    """A deployer that died before its first word or after its last left only a lease; it runs out by itself."""
    record = house.ledger.record
    if record.lease is not None:
        assert record.lease.expires_at <= house.clock.now()
        assert house.service.rollout is None
        house.ledger.record = replace(record, lease=None)
