from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.adapters.waiting import wait_until
from switchover.cli.main import run
from switchover.operations.lease import acquire, release
from switchover.operations.recovery import rollouts_in_flight
from switchover.operations.rollout import begin
from tests.builders import a_plan
from tests.end_to_end.tiny_project import tiny_project


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
