"""Which failure is taken back by whom. `--log-cli-level=INFO` shows the seconds it took (docs/rollback.md)."""

from __future__ import annotations

import logging
import time

import pytest

from switchover.model import Phase, Route
from tests.prefect.conftest import OpenHouse
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

_log = logging.getLogger("measured")
_ALL_ON_BLUE = Route(100, 0)
_HALF = Route(50, 50)


def _order_until_half(house: House) -> str:
    """A deployment of 1.1.0 that has reached 50 % and holds there."""
    run = house.order_deploy("1.1.0")
    house.wait_phase(Phase.SHIFTING, "1.1.0", 50)
    house.wait_route(_HALF)
    return run


def _measure(house: House, what: str) -> None:
    """Wait for the traffic, then for the end of the rollout; log both."""
    began = time.monotonic()
    traffic = house.wait_route(_ALL_ON_BLUE, seconds=200)
    house.wait_closed()
    _log.info("%s: traffic back after %.1f s, closed after %.1f s", what, traffic, time.monotonic() - began)


def _require_fruitless_automation(house: House, failed_run: str) -> None:
    """The automation has started a rollback of that run, as often as Prefect told of its end, and it went well."""
    started = house.wait(lambda: house.runs_of("rollback"), "the automation's rollback")
    assert {house.wait_ended(each["id"]) for each in started} == {"COMPLETED"}
    assert {each["parameters"]["failed_run"] for each in started} == {failed_run}


def test_a_flow_process_that_is_killed_is_taken_back_by_the_hook_of_its_runner(house: House) -> None:
    house.serve("deploy")
    run = _order_until_half(house)
    house.flow_process("serve-deploy", run).kill()
    _measure(house, "SIGKILL of the flow's process, hook in the runner")
    assert house.wait_ended(run) == "CRASHED"
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


def test_a_hook_and_an_automation_that_both_fire_make_one_rollback(house: House) -> None:
    house.serve("deploy")
    house.serve("rollback")
    run = _order_until_half(house)
    house.flow_process("serve-deploy", run).kill()
    _measure(house, "SIGKILL of the flow's process, hook and automation")
    _require_fruitless_automation(house, run)
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


def test_a_cancelled_deployment_is_taken_back_by_its_hook(house: House) -> None:
    house.serve("deploy")
    run = _order_until_half(house)
    house.set_state(run, "CANCELLING")
    _measure(house, "cancelled in the UI, hook in the runner")
    assert house.wait_ended(run) == "CANCELLED"
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


def test_a_release_that_never_answers_is_taken_back_by_the_hook_of_its_own_process(house: House) -> None:
    house.publish("1.2.0", server="raise SystemExit(1)")
    house.serve("deploy")
    run = house.order_deploy("1.2.0")
    assert house.wait_ended(run) == "FAILED"
    house.wait_closed()
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


def test_a_second_deployment_is_refused_and_leaves_the_first_one_alone(house: House) -> None:
    house.publish("1.2.0")
    house.serve("deploy", "rollback")
    first = _order_until_half(house)
    second = house.order_deploy("1.2.0")
    assert house.wait_ended(second) == "FAILED"
    assert "is busy" in house.server.ask("GET", f"/flow_runs/{second}")["state"]["message"]
    _require_fruitless_automation(house, second)
    rollout = house.rollout()
    assert rollout is not None
    assert (rollout.flow_run_id, rollout.phase, rollout.canary_percent) == (first, Phase.SHIFTING, 50)
    assert house.local().ports.router.read_route(SERVICE) == _HALF
    assert not house.rolled_back()
    assert house.run_state(first) == "RUNNING"


def test_a_run_that_is_declared_dead_and_is_not_is_fenced(house: House) -> None:
    house.serve("deploy")
    house.serve("rollback")
    run = _order_until_half(house)
    process = house.flow_process("serve-deploy", run)
    house.set_state(run, "CRASHED")
    _measure(house, "declared dead while alive, automation")
    house.wait(lambda: "no longer owns" in house.log("serve-deploy"), "the living run to be refused")
    process.wait(timeout=60)
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


def test_a_deployment_that_lost_its_host_is_taken_back_by_the_watchdog(
    open_house_with: OpenHouse,
) -> None:
    with open_house_with(lease_seconds=15) as house:
        house.serve("deploy")
        _order_until_half(house)
        house.kill("serve-deploy")
        _measure(house, "SIGKILL of the runner and the flow's process, watchdog with a lease of 15 s")
        house.require_one_colour("1.0.0")
        assert [entry.reasons[0].rule for entry in house.rolled_back()] == ["rollback"]


@pytest.mark.slow
def test_a_deployment_that_lost_its_host_is_taken_back_by_the_heartbeat(
    open_house_with: OpenHouse,
) -> None:
    with open_house_with(lease_seconds=600) as house:
        house.serve("rollback", silence_seconds=70)
        house.serve("deploy", silence_seconds=70)
        run = _order_until_half(house)
        time.sleep(31)  # let it send one heartbeat at least
        house.kill("serve-deploy")
        _measure(house, "SIGKILL of the runner and the flow's process, heartbeat of 30 s and silence of 70 s")
        assert house.wait_ended(run) == "CRASHED"
        house.require_one_colour("1.0.0")
        assert len(house.rolled_back()) == 1
