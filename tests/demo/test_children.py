"""Processes of the demonstration are found by their mark and ended by their ids."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from switchover.demo.children import Child, Crew

PROJECT = Path(__file__).resolve().parents[2]
SLEEP = "import time; time.sleep(60)"
WITH_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    made = Crew.of(tmp_path, tmp_path, os.environ, tmp_path)
    yield made
    for pid in made.find():
        psutil.Process(pid).kill()


def start_with_a_child(crew: Crew) -> tuple[Child, int]:
    child = crew.start("parent", (sys.executable, "-c", WITH_A_CHILD))
    while not ((below := psutil.Process(child.pid).children()) and below[0].pid in crew.find()):
        time.sleep(0.02)  # a process has its environment only when its program has begun
    return child, below[0].pid


def test_ending_a_process_ends_what_it_started(crew: Crew) -> None:
    child, grandchild = start_with_a_child(crew)
    assert set(crew.find()) == {child.pid, grandchild}
    child.end()
    child.end()
    assert crew.find() == ()


def test_what_a_killed_process_leaves_behind_is_found_by_its_mark(crew: Crew) -> None:
    child, grandchild = start_with_a_child(crew)
    child.kill()
    assert crew.find() == (grandchild,)


def test_a_crew_of_another_folder_is_left_alone(crew: Crew, tmp_path: Path) -> None:
    crew.start("sleeper", (sys.executable, "-c", SLEEP))
    assert Crew.of(tmp_path / "other", tmp_path, os.environ, tmp_path).find() == ()


def test_a_failure_says_how_the_process_ended_and_what_it_wrote_last(crew: Crew) -> None:
    child = crew.start("speaker", (sys.executable, "-c", "import sys; sys.exit('no room left')"))
    assert child.wait(30) == 1
    assert "status 1" in str(child.trouble("work"))
    assert "no room left" in str(child.trouble("work"))


@pytest.mark.parametrize(("arguments", "status"), [(["--stop"], 0), (["--rate", "1"], 2), (["--unknown"], 2)])
def test_the_command_answers_without_a_traceback(arguments: list[str], status: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "switchover.demo.run", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
