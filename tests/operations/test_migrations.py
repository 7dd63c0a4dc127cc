from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.decide.rollback import UNCONTRACTED
from switchover.errors import InputError, TargetError, UnhealthyError
from switchover.model import Migrations, MigrationStep
from switchover.operations.recovery import recover_abandoned
from switchover.operations.rollback import RollbackRequest
from tests.builders import WORKLOAD
from tests.operations.house import House, Killed, bring_back

ALL = Migrations(expand=("up",), contract=("tidy",), down=("down",))


def a_request(version: str | None = None, *, accept_irreversible: bool = False) -> RollbackRequest:
    return RollbackRequest(
        "shop", version, "a person", "asked for", "rollback-1", accept_irreversible=accept_irreversible
    )


def a_house(migrations: Migrations = ALL) -> House:
    """1.0.0 is live on blue; what comes now migrates."""
    house = House()
    house.deploy("1.0.0")
    house.serve_traffic()
    house.workload = replace(WORKLOAD, migrations=migrations)
    house.target.effects.clear()
    return house


def failure(step: str) -> UnhealthyError:
    return UnhealthyError(f"the migration `{step}` failed", expected="0", found="exit status 1", next_step="correct it")


def steps_of(house: House) -> list[str]:
    return [effect for effect in house.target.effects if not effect.startswith("route")]


def test_a_release_expands_before_it_starts_and_contracts_after_the_old_colour_is_gone() -> None:
    house = a_house()
    house.deploy("1.1.0")
    assert steps_of(house) == ["expand 1.1.0", "start green 1.1.0", "stop blue", "contract 1.1.0"]


def test_an_expansion_that_fails_starts_nothing_and_leaves_the_live_colour_alone() -> None:
    house = a_house()
    house.target.migrator.failures.add("expand", failure("expand"))
    with pytest.raises(UnhealthyError, match="expand"):
        house.deploy("1.1.0")
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "watchdog")
    assert steps_of(house) == []
    house.assert_one_healthy_colour("1.0.0")


def test_a_contraction_that_fails_takes_nothing_back_and_is_said_in_the_history() -> None:
    house = a_house()
    house.target.migrator.failures.add("contract", failure("contract"))
    entry = house.deploy("1.1.0")
    assert entry.outcome == "live"
    assert any("still to be done" in reason.message for reason in entry.reasons)
    house.assert_one_healthy_colour("1.1.0")


def test_whatever_keeps_a_contraction_from_running_does_not_keep_the_rollout_open() -> None:
    for error in (InputError, TargetError):
        house = a_house()
        broken = error("no room", expected="room", found="a quota", next_step="raise it")
        house.target.migrator.failures.add("contract", broken, broken, broken)
        entry = house.deploy("1.1.0")
        assert any(reason.rule == UNCONTRACTED for reason in entry.reasons)
        house.assert_one_healthy_colour("1.1.0")


def test_a_contraction_that_meets_a_target_that_is_away_for_a_moment_is_repeated() -> None:
    house = a_house()
    house.target.migrator.failures.add("contract", TargetError("away", expected="", found="", next_step=""))
    assert not any(reason.rule == UNCONTRACTED for reason in house.deploy("1.1.0").reasons)
    assert "contract 1.1.0" in house.target.effects


def dies_before_it_contracts(house: House) -> None:
    """1.1.0 is committed and has all the traffic; its deployer is gone."""

    def die(name: str, effect: object) -> object:
        def guarded(*args: object, **kwargs: object) -> object:
            if name.endswith("stop"):
                raise Killed(name)
            return effect(*args, **kwargs)  # type: ignore[operator]

        return guarded

    with pytest.raises(Killed):
        house.deploy("1.1.0", house.ports(die))  # type: ignore[arg-type]
    house.target.effects.clear()


def test_a_rollback_of_a_committed_release_contracts_nothing_more() -> None:
    house = a_house(replace(ALL, irreversible=True))
    dies_before_it_contracts(house)
    bring_back(house.ports(), a_request())
    assert "contract 1.1.0" not in house.target.effects
    house.assert_one_healthy_colour("1.0.0")


def test_a_contraction_that_may_have_begun_takes_an_explicit_word_before_anything_is_finished() -> None:
    house = a_house(replace(ALL, irreversible=True))

    def die(name: str, effect: object) -> object:
        def guarded(*args: object, **kwargs: object) -> object:
            if name.endswith("migrate") and args[0].step is MigrationStep.CONTRACT:  # type: ignore[attr-defined]
                raise Killed(name)
            return effect(*args, **kwargs)  # type: ignore[operator]

        return guarded

    with pytest.raises(Killed):
        house.deploy("1.1.0", house.ports(die))  # type: ignore[arg-type]
    before = house.ledger.record
    with pytest.raises(InputError, match="declared irreversible"):
        bring_back(house.ports(), a_request())
    assert house.ledger.record == before
    bring_back(house.ports(), a_request(accept_irreversible=True))
    house.assert_one_healthy_colour("1.0.0")


def test_the_watchdog_finishes_a_committed_release_with_its_contraction() -> None:
    house = a_house()
    dies_before_it_contracts(house)
    house.let_the_lease_expire()
    recover_abandoned(house.ports(), "watchdog")
    assert "contract 1.1.0" in house.target.effects
    house.assert_one_healthy_colour("1.1.0")


def test_going_back_takes_the_migrations_of_every_release_in_between_back_newest_first() -> None:
    house = a_house()
    house.deploy("1.1.0")
    house.deploy("1.2.0")
    house.target.effects.clear()
    bring_back(house.ports(), a_request("1.0.0"))
    assert steps_of(house) == ["down 1.2.0", "down 1.1.0", "start green 1.0.0", "stop blue"]
    house.assert_one_healthy_colour("1.0.0")


def test_going_forward_again_to_a_release_that_was_taken_back_expands_again() -> None:
    house = a_house()
    house.deploy("1.1.0")
    bring_back(house.ports(), a_request())
    house.target.effects.clear()
    bring_back(house.ports(), replace(a_request("1.1.0"), rollout_id="rollback-2"))
    assert steps_of(house)[0] == "expand 1.1.0"
    house.assert_one_healthy_colour("1.1.0")


def test_an_irreversible_migration_takes_an_explicit_word_and_nothing_changes_without_it() -> None:
    house = a_house(Migrations(expand=("up",), contract=("tidy",), irreversible=True))
    house.deploy("1.1.0")
    before = house.ledger.record
    with pytest.raises(InputError, match=r"1\.1\.0 migrated is declared irreversible"):
        bring_back(house.ports(), a_request())
    assert house.ledger.record == before
    bring_back(house.ports(), a_request(accept_irreversible=True))
    house.assert_one_healthy_colour("1.0.0")


def test_a_release_that_is_taken_back_in_flight_needs_no_word_because_it_only_expanded() -> None:
    house = a_house(Migrations(expand=("up",), irreversible=True))
    house.serve_traffic(new_errors=30)
    with pytest.raises(UnhealthyError):
        house.deploy("1.1.0")
    bring_back(house.ports(), a_request())
    house.assert_one_healthy_colour("1.0.0")
