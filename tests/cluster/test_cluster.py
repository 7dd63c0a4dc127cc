import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.errors import InputError, TargetError
from tests.cluster import control
from tests.cluster.cluster import Cluster
from tests.cluster.command import exit_status
from tests.cluster.processes import Child, await_ready, run, start

WAITS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]


@pytest.fixture(name="cluster")
def _cluster(tmp_path: Path) -> "Cluster":
    def part(name: str) -> Child:
        return start(name, WAITS, logs=tmp_path)

    return Cluster([{"first": lambda: part("first")}, {"second": lambda: part("second")}])


@pytest.fixture(name="running")
def _running(cluster: Cluster) -> Iterator[Cluster]:
    try:
        cluster.start_all()
        yield cluster
    finally:
        for child in cluster.children.values():
            child.kill()


def process_id(cluster: Cluster, part: str) -> int:
    return cluster.children[part].process.pid


def test_every_part_is_started_and_timed(running: Cluster) -> None:
    assert {name: child.running() for name, child in running.children.items()} == {"first": True, "second": True}
    assert set(running.seconds) == {"first", "second"}
    assert "first" in running.table()


def test_a_part_that_runs_is_not_started_again(running: Cluster) -> None:
    before = process_id(running, "first")
    running.start("first")
    assert process_id(running, "first") == before


def test_a_test_can_restart_a_part_through_the_socket(running: Cluster, tmp_path: Path) -> None:
    before = process_id(running, "first")
    control.serve(tmp_path / "socket", {"restart": running.restart, "kill": running.kill})
    control.ask(tmp_path / "socket", "restart", "first")
    assert process_id(running, "first") != before
    control.ask(tmp_path / "socket", "kill", "first")
    assert not running.children["first"].running()


def test_the_socket_says_which_parts_there_are_when_asked_for_another(running: Cluster, tmp_path: Path) -> None:
    control.serve(tmp_path / "socket", {"restart": running.restart})
    with pytest.raises(TargetError, match="one of first, second"):
        control.ask(tmp_path / "socket", "restart", "third")


def test_a_part_that_there_is_not_is_refused(cluster: Cluster) -> None:
    with pytest.raises(InputError, match="no part 'third'"):
        cluster.start("third")


def test_a_child_that_ends_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = start("short", [sys.executable, "-c", "raise SystemExit('no such flag')"], logs=tmp_path)
    with pytest.raises(TargetError, match=r"(?s)short is not ready.*ended with 1.*no such flag"):
        await_ready(child, lambda: False, within=30)


def test_a_program_that_fails_is_reported_with_what_it_says() -> None:
    with pytest.raises(TargetError, match="3: too bad"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('too bad'); sys.exit(3)"])


def test_the_exit_status_of_a_killed_command_is_the_one_that_a_shell_reports() -> None:
    process = subprocess.Popen(WAITS)
    process.terminate()
    assert exit_status(process.wait()) == 143
