"""The scheduled check ends what was abandoned, and fails where things disagree."""

from __future__ import annotations

import pytest

from switchover.model import Colour, Phase
from switchover.operations.deployment import plan_deploy
from switchover.operations.lease import acquire, release
from switchover.operations.rollout import begin, start_slot
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]


def _abandon_a_rollout(house: House) -> None:
    ports = house.local().ports
    plan = plan_deploy(house.config, ports, SERVICE, "1.1.0", house.environment, "instant", histories={})
    claim = acquire(ports, "somebody who dies", 60)
    start_slot(ports, claim, begin(ports, claim, plan, rollout_id="abandoned", flow_run_id=None))
    release(ports, claim)


def test_a_check_ends_an_abandoned_rollout_and_then_finds_all_well(house: House) -> None:
    _abandon_a_rollout(house)
    house.serve("check")
    assert house.wait_ended(house.order("check-environment")) == "COMPLETED"
    house.require_one_colour("1.0.0")
    assert [entry.id for entry in house.rolled_back()] == ["abandoned"]


def test_a_check_fails_where_the_processes_are_not_what_the_ledger_says(house: House) -> None:
    ports = house.local().ports
    ports.slots.stop(SERVICE, Colour.BLUE, epoch=house.record().epoch)
    house.serve("check")
    run = house.order("check-environment")
    assert house.wait_ended(run) == "FAILED"
    assert "1.0.0 should run on blue" in house.server.ask("GET", f"/flow_runs/{run}")["state"]["message"]
    assert house.history()[0].outcome == Phase.LIVE.value


def test_a_served_check_is_scheduled_by_the_server(house: House) -> None:
    house.serve("check")
    deployment = house.server.ask("GET", f"/deployments/name/check-environment/{house.environment}")
    by_schedule = {"flow_runs": {"state": {"name": {"any_": ["Scheduled"]}}, "tags": {"all_": ["auto-scheduled"]}}}
    body = by_schedule | {"deployments": {"id": {"any_": [deployment["id"]]}}}
    house.wait(lambda: house.server.ask("POST", "/flow_runs/filter", body), "runs of the schedule")
