"""`make deployments` against a real server, and the process worker that it is made for."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from switchover.model import Phase, Route
from tests.prefect.house import House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

_log = logging.getLogger("measured")


def _count(house: House, kind: str) -> int:
    found = house.server.ask("POST", f"/{kind}/filter", {})
    return len([each for each in found if house.environment in each["name"]])


def test_making_the_deployments_twice_makes_them_once(house: House) -> None:
    for _ in range(2):
        made = house.run_module("flows.deployments")
        assert made.returncode == 0, made.stderr
        assert (_count(house, "deployments"), _count(house, "automations")) == (9, 4)
    deploy = house.server.ask("GET", f"/deployments/name/deploy/{house.environment}")
    assert deploy["entrypoint"] == "flows.deploy.deploy"
    assert deploy["parameters"] == {"environment": house.environment, "config": house.config_file}
    assert deploy["parameter_openapi_schema"]["properties"]["version"]["description"]


@pytest.mark.slow
def test_what_was_made_for_a_worker_can_be_served_afterwards_and_keeps_its_schedules(house: House) -> None:
    assert house.run_module("flows.deployments").returncode == 0
    path = f"/deployments/name/{{}}/{house.environment}"
    toggle = house.server.ask("GET", path.format("toggle-flag"))["id"]
    nightly = {"schedule": {"cron": "0 22 * * *", "timezone": "UTC"}, "slug": "nightly"}
    house.server.ask("POST", f"/deployments/{toggle}/schedules", [nightly])
    house.serve("check", "hygiene", "toggle")
    slugs = {
        name: [each["slug"] for each in house.server.ask("GET", path.format(name))["schedules"]]
        for name in ("check-environment", "flag-hygiene", "toggle-flag")
    }
    assert slugs == {
        "check-environment": ["every-five-minutes"],
        "flag-hygiene": ["every-monday"],
        "toggle-flag": ["nightly"],
    }


def test_a_server_that_is_not_there_is_told_in_four_lines(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        for module in ("flows.deployments", "flows.serve"):
            refused = house.run_module(module, PREFECT_API_URL=nobody)
            assert refused.returncode == 1
            assert "cannot be used" in refused.stderr
            assert "Traceback" not in refused.stderr


def test_an_environment_that_is_not_in_the_file_is_the_callers_mistake(house: House) -> None:
    refused = house.run_module("flows.deployments", "-e", "nowhere")
    assert refused.returncode == 2
    assert "unknown environment nowhere" in refused.stderr


@pytest.mark.slow
def test_a_flow_process_of_a_worker_that_is_killed_is_taken_back(house: House) -> None:
    assert house.run_module("flows.deployments").returncode == 0
    house.start("worker", "-m", "prefect", "worker", "start", "--pool", "switchover", PREFECT_WORKER_QUERY_SECONDS="1")
    run = house.order_deploy("1.1.0")
    house.wait_phase(Phase.SHIFTING, "1.1.0", 50)
    house.wait_route(Route(50, 50))
    house.flow_process("worker", run).kill()
    began = time.monotonic()
    traffic = house.wait_route(Route(100, 0))
    house.wait_closed()
    _log.info("SIGKILL of a worker's flow process: traffic %.1f s, closed %.1f s", traffic, time.monotonic() - began)
    assert house.wait_ended(run) == "CRASHED"
    house.require_one_colour("1.0.0")
    assert len(house.rolled_back()) == 1


@pytest.mark.slow
def test_a_deployment_survives_the_death_of_its_worker(house: House) -> None:
    assert house.run_module("flows.deployments").returncode == 0
    worker = house.start(
        "worker", "-m", "prefect", "worker", "start", "--pool", "switchover", PREFECT_WORKER_QUERY_SECONDS="1"
    )
    run = house.order("deploy", service="tiny", version="1.1.0", strategy="instant")
    house.wait(house.rollout, "the rollout to begin")
    worker.kill()
    worker.wait()
    assert house.wait_ended(run) == "COMPLETED"
    assert house.record().services["tiny"].rollout is None
    assert {house.ask_user() for _ in range(10)} == {"green 1.1.0"}
