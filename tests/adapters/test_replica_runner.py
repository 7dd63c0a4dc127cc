"""The parent of one replica, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from switchover.adapters import replica_runner
from switchover.adapters.waiting import wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
WITH_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
"""


def run(folder: Path, code: str, environ: dict[str, str] | None = None, **changes: object) -> subprocess.Popen[str]:
    specification = {
        "replica": 0,
        "command": [sys.executable, "-c", code],
        "folder": str(folder),
        "environment": {"GREETING": "hello"},
        "secret_variables": [],
        "memory_limit_mb": None,
        "stop_seconds": 0.2,
        "events": str(folder / "events"),
    }
    (folder / "spec").write_text(json.dumps(specification | changes))
    command = [sys.executable, "-I", "-S", replica_runner.__file__, str(folder / "spec")]
    return subprocess.Popen(
        command, env=environ or dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def exit_event(folder: Path) -> dict[str, object]:
    event: dict[str, object] = json.loads((folder / "events").read_text().splitlines()[-1])
    assert event["event"] == "exit"
    return event


def test_the_exit_status_is_passed_on_and_written_down(tmp_path: Path) -> None:
    with run(tmp_path, "import sys; sys.exit(7)") as runner:
        assert runner.wait(30) == 7
    assert (exit_event(tmp_path)["status"], exit_event(tmp_path)["asked"]) == (7, False)


def test_the_signal_that_ended_the_command_is_written_down(tmp_path: Path) -> None:
    with run(tmp_path, "import os; os.kill(os.getpid(), 11)") as runner:
        assert runner.wait(30) == 128 + 11
    assert exit_event(tmp_path)["signal"] == signal.SIGSEGV


def test_a_command_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    with run(tmp_path, STUBBORN) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "up\n"
        runner.terminate()
        assert runner.wait(30) == 128 + 9
    assert (exit_event(tmp_path)["signal"], exit_event(tmp_path)["asked"]) == (signal.SIGKILL, True)


def test_processes_that_the_command_left_behind_are_ended(tmp_path: Path) -> None:
    mark = {"SWITCHOVER_ENVIRONMENT": str(tmp_path)}
    with run(tmp_path, WITH_A_CHILD, dict(os.environ) | mark) as runner:
        runner.wait(30)

    def left() -> bool:
        for process in psutil.process_iter(["status"]):
            try:
                if process.environ().get("SWITCHOVER_ENVIRONMENT") == str(tmp_path):
                    return True
            except (psutil.Error, OSError):
                continue
        return False

    assert wait_until(lambda: not left(), 5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_command_ends_with_its_killed_runner(tmp_path: Path) -> None:
    with run(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)") as runner:
        assert runner.stdout is not None
        child = int(runner.stdout.readline())
        runner.kill()
    assert wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", 5.0)


def test_only_named_variables_reach_the_command(tmp_path: Path) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    environ = {"PATH": os.environ["PATH"], "TOKEN": "secret", "OTHER": "private"}
    with run(tmp_path, code, environ, secret_variables=["TOKEN"]) as runner:
        output, _ = runner.communicate(timeout=30)
    seen = json.loads(output)
    assert (seen["TOKEN"], seen["GREETING"]) == ("secret", "hello")
    assert "OTHER" not in seen


def test_a_missing_secret_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    with run(tmp_path, "print('started')", {"PATH": ""}, secret_variables=["TOKEN"]) as runner:
        output, _ = runner.communicate(timeout=30)
    assert runner.returncode == 78
    assert "TOKEN" in output
    assert "started" not in output
    assert "TOKEN" in str(exit_event(tmp_path)["why"])
