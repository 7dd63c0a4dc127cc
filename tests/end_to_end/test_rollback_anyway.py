"""What is broken elsewhere does not stand in front of a rollback: a real canary at 10 %, and its deployer is dead."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.cli.main import run as switchover
from switchover.model import Colour, Route
from tasks.place import Place
from tests.end_to_end.test_kill_matrix import AT_TEN_PERCENT, run
from tests.end_to_end.tiny_project import SWITCHOVER_TOML, TinyProject, Users, tiny_project

pytestmark = pytest.mark.xdist_group("rollback-anyway")

CANARY, BACK = Route(90, 10), Route(100, 0)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    with tiny_project(tmp_path_factory.mktemp("anyway"), "1.0.0", "1.1.0") as project:
        run(project, "deploy", "1.0.0")
        yield project


@pytest.fixture
def canary(project: TinyProject) -> Iterator[TinyProject]:
    run(project, "deploy", "1.1.0", AT_TEN_PERCENT, "after")
    assert project.local.ports.router.read_route("tiny") == CANARY
    yield project
    (project.root / "switchover.toml").write_text(SWITCHOVER_TOML, encoding="utf-8")
    if project.local.ports.ledger.read().services["tiny"].rollout is not None:
        assert switchover(["rollback", "tiny", "--config", str(project.root)]) == 0


def take_back(*options: str) -> int:
    return switchover(["rollback", "tiny", *options])


def assert_taken_back(project: TinyProject) -> None:
    assert project.local.ports.router.read_route("tiny") == BACK
    assert project.local.ports.slots.read_status("tiny", Colour.GREEN).wanted_replicas == 0
    assert project.local.ports.ledger.read().services["tiny"].rollout is None


def test_a_supervisor_that_hangs(canary: TinyProject, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = canary.local.target.environment_processes()[0]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        with Users(canary.address).asking() as users:
            assert take_back("--config", str(canary.root)) == 1
        assert canary.local.ports.router.read_route("tiny") == BACK
        assert (users.failures, users.requests > 0) == ([], True)
        assert f"process {supervisor}" in capsys.readouterr().err
    finally:
        os.kill(supervisor, signal.SIGCONT)


def test_a_new_service_whose_port_is_taken(canary: TinyProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        listen = f'"127.0.0.1:{holder.getsockname()[1]}"'
        service = '[services.late]\npath = "late"\ncommand = ["run"]\n'
        place = f"[environments.production.services.late]\nlisten = {listen}\n"
        (canary.root / "switchover.toml").write_text(SWITCHOVER_TOML + service + place, encoding="utf-8")
        assert take_back("--config", str(canary.root)) == 0
    assert_taken_back(canary)


def test_a_misspelt_key(canary: TinyProject, capsys: pytest.CaptureFixture[str]) -> None:
    file = canary.root / "switchover.toml"
    file.write_text(SWITCHOVER_TOML.replace("lease_seconds", "lese_seconds"), encoding="utf-8")
    assert take_back("--config", str(file)) == 0
    warning, *_ = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: going on with what ")
    assert "lese_seconds" in warning
    assert_taken_back(canary)


def test_a_configuration_that_is_gone(canary: TinyProject) -> None:
    (canary.root / "switchover.toml").unlink()
    state = canary.root / ".switchover" / "production"
    assert (state / "facts.json").stat().st_mode & 0o777 == 0o600
    assert take_back("--state", str(state), "--environment", "staging") == 2
    assert canary.local.ports.router.read_route("tiny") == CANARY
    assert take_back("--state", str(state)) == 0
    assert_taken_back(canary)


def test_a_lost_ledger_is_named_and_never_taken_for_a_new_environment(
    canary: TinyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    state = canary.root / ".switchover" / "production"
    (state / "ledger.db").rename(state / "elsewhere")
    try:
        for command in (["verify"], ["status"], ["rollback", "tiny"], ["deploy", "tiny", "1.1.0"]):
            assert switchover([*command, "--config", str(canary.root)]) == 1
            assert "something should run in tiny-blue, tiny-green" in capsys.readouterr().err
        assert not (state / "ledger.db").exists()
    finally:
        (state / "elsewhere").rename(state / "ledger.db")


def test_a_hook_finds_the_environment_beside_a_broken_configuration(canary: TinyProject) -> None:
    (canary.root / "switchover.toml").write_text("[", encoding="utf-8")
    ports = Place(str(canary.root / "switchover.toml"), "production").connect_at_once()
    assert ports.router.read_route("tiny") == CANARY
    assert ports.ledger.read().services["tiny"].rollout is not None


def test_a_folder_that_was_never_deployed_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "switchover.toml").write_text("[", encoding="utf-8")
    assert switchover(["rollback", "tiny", "--config", str(tmp_path)]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert switchover(["rollback", "tiny", "--state", str(tmp_path)]) == 2
    assert "not the state folder of an environment" in capsys.readouterr().err
