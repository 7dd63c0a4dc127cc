"""A person's word, given in the Prefect UI's way, on the command line, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from switchover.model import Colour, Phase
from tests.prefect.conftest import OpenHouse
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]


@pytest.fixture
def house(open_house_with: OpenHouse) -> Iterator[House]:
    with open_house_with(hold_seconds=0, approval_seconds=120) as opened:
        yield opened


def order_until_it_waits(house: House) -> str:
    """A deployment of 1.1.0 that has passed its tests and shows its form."""
    house.serve("deploy")
    run = house.order_deploy("1.1.0")
    house.wait_phase(Phase.APPROVING, "1.1.0")
    house.wait(lambda: house.run_state(run) == "PAUSED", "the form")
    return run


def resume(house: House, run: str, answer: dict[str, Any]) -> None:
    """What the UI does when somebody fills the form in. The run is paused a moment before the server has its form."""

    def accepted() -> bool:
        said = house.server.ask("POST", f"/flow_runs/{run}/resume", {"run_input": answer})
        return bool(said["status"] == "ACCEPT")

    house.wait(accepted, "the server to take the answer")


def answered(house: House) -> str:
    return " ".join(reason.message for entry in house.history()[:1] for reason in entry.reasons)


def test_a_release_that_is_approved_in_the_form_goes_live(house: House) -> None:
    run = order_until_it_waits(house)
    resume(house, run, {"approve": True, "your_name": "Ada", "comment": "go"})
    assert house.wait_ended(run) == "COMPLETED"
    house.require_one_colour("1.1.0", Colour.GREEN)
    assert "approved by Ada: go" in answered(house)


def test_a_form_without_a_yes_takes_the_release_back(house: House) -> None:
    run = order_until_it_waits(house)
    resume(house, run, {"approve": False, "your_name": "Bob", "comment": "not today"})
    assert house.wait_ended(run) == "FAILED"
    house.wait_closed()
    house.require_one_colour("1.0.0")
    assert "Bob rejected it: not today" in answered(house)


def test_the_command_line_answers_too_and_the_run_is_no_longer_paused(house: House) -> None:
    run = order_until_it_waits(house)
    done = house.run_module("switchover.cli.main", "approve", SERVICE, "-e", house.environment, "--comment", "seen")
    assert done.returncode == 0, done.stderr
    assert house.wait_ended(run) == "COMPLETED"
    house.require_one_colour("1.1.0", Colour.GREEN)


def test_a_rollback_while_it_waits_ends_the_run_and_the_question(house: House) -> None:
    run = order_until_it_waits(house)
    done = house.run_module("switchover.cli.main", "rollback", SERVICE, "-e", house.environment, "--yes")
    assert done.returncode == 0, done.stderr
    assert house.wait_ended(run) == "FAILED"
    house.require_one_colour("1.0.0")
    late = house.run_module("switchover.cli.main", "approve", SERVICE, "-e", house.environment)
    assert late.returncode == 2
    assert "does not wait for an approval" in late.stderr


def test_nobody_answering_in_time_is_a_no(open_house_with: OpenHouse) -> None:
    with open_house_with(hold_seconds=0, approval_seconds=4) as house:
        house.serve("deploy")
        run = house.order_deploy("1.1.0")
        assert house.wait_ended(run) == "FAILED"
        house.wait_closed()
        house.require_one_colour("1.0.0")
        assert "nobody answered within 4 s" in answered(house)
