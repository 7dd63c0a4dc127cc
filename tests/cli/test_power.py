from __future__ import annotations

import json
import urllib.request
from http import HTTPStatus
from pathlib import Path

import pytest

from switchover.adapters.waiting import wait_until
from switchover.cli.main import run
from switchover.cli.readiness import await_live
from switchover.config import load_config
from switchover.decide.rollback import DEPLOY
from switchover.errors import TargetError
from switchover.model import Colour, SlotStatus
from switchover.operations.deployment import plan_deploy
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import acquire, release
from switchover.operations.recovery import rollouts_in_flight
from switchover.operations.roll_out import roll_out
from switchover.operations.rollout import begin
from tests.builders import a_plan
from tests.cli.harness import Project
from tests.end_to_end.tiny_project import TinyProject, tiny_project


def test_an_environment_is_stopped_and_comes_back_at_the_same_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tiny_project(tmp_path) as project:
        config = ["--config", str(tmp_path / "switchover.toml")]
        before = project.address
        assert run(["stop", *config]) == 0
        assert project.local.target.environment_processes() == ()
        capsys.readouterr()
        assert run(["start", "--json", *config]) == 0
        assert json.loads(capsys.readouterr().out)["addresses"] == {"tiny": before}
        assert project.local.target.is_running()


def test_what_was_live_answers_as_soon_as_start_has_returned_and_status_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tiny_project(tmp_path, "1.0.0") as project:
        config = ["--config", str(tmp_path / "switchover.toml")]
        go_live(project, "1.0.0")
        assert run(["status", *config]) == 0
        assert f"tiny is at http://{project.address}" in capsys.readouterr().out
        assert run(["stop", *config]) == 0
        capsys.readouterr()
        assert run(["status", *config]) == 0
        shown = capsys.readouterr().out
        assert "production is stopped; `switchover start` brings it back" in shown
        assert ("DISAGREEMENT" in shown, "Errno" in shown, "http://" in shown) == (False, False, False)
        assert run(["verify", *config]) == 1
        assert "tiny: production is stopped" in capsys.readouterr().out
        assert run(["start", *config]) == 0
        with urllib.request.urlopen(f"http://{project.address}/") as answer:
            assert answer.status == HTTPStatus.OK


def go_live(project: TinyProject, version: str) -> None:
    ports = project.local.ports
    plan = plan_deploy(project.config, ports, "tiny", version, "production", histories={})
    roll_out(ports, acquire(ports, "deploy", plan.lease_seconds), plan, rollout_id=version, kind=DEPLOY)


def test_start_waits_for_what_is_live_and_says_what_it_waits_for(project: Project) -> None:
    project.go_live("1.0.0")
    project.target.slots.script_status("shop", Colour.BLUE, SlotStatus(2, 0), SlotStatus(2, 1), SlotStatus(2, 2))
    said: list[str] = []
    await_live(open_ports(project), said.append)
    assert said == [f"waiting for shop 1.0.0 on blue: {ready} of 2 replicas ready" for ready in (0, 1)]


def test_start_gives_up_on_what_never_gets_ready_and_shows_its_log(project: Project) -> None:
    project.go_live("1.0.0")
    project.target.slots.script_status("shop", Colour.BLUE, SlotStatus(2, 1, detail="shop-1 is FATAL"))
    project.target.slots.log["shop", Colour.BLUE] = ["no such module"]
    with pytest.raises(TargetError) as caught:
        await_live(open_ports(project), lambda _: None)
    found = "shop 1.0.0 on blue: 1 of 2 replicas ready, shop-1 is FATAL, its log ends with: no such module (after 30 s)"
    assert caught.value.problem.found == found


def open_ports(project: Project) -> EnvironmentPorts:
    return project.connect(load_config(project.config_file), "production", start=False)


def test_an_environment_with_a_rollout_in_flight_is_only_stopped_by_force_and_recovered_by_the_watchdog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tiny_project(tmp_path) as project:
        config = ["--config", str(tmp_path / "switchover.toml")]
        ports = project.local.ports
        claim = acquire(ports, "deploy", 1.0)
        begin(ports, claim, a_plan(ports.ledger.read()), rollout_id="1", flow_run_id=None)
        assert run(["stop", *config]) == 1
        assert "--force" in capsys.readouterr().err
        assert project.local.target.is_running()
        assert run(["stop", "--force", *config]) == 0
        assert run(["start", *config]) == 0
        assert wait_until(lambda: not rollouts_in_flight(ports.ledger.read()), 30.0)
        release(ports, claim)
