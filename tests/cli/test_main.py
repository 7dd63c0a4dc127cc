"""What every command has in common: help, failures, exit status, and what is never imported."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

from switchover.cli.commands import COMMANDS, LazyGroup
from switchover.cli.main import run, switchover
from switchover.config import Config
from switchover.operations.environment import EnvironmentPorts
from tests.cli.harness import Project

_OURS = [name for name in COMMANDS if name not in {"demo", "plan", "release"}]


def capture(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(arguments)
    return status, out.getvalue(), err.getvalue()


def broken(config: Config, environment: str, *, start: bool) -> EnvironmentPorts:
    raise RuntimeError(f"{config.project.name} {environment} {start}")


def full(config: Config, environment: str, *, start: bool) -> EnvironmentPorts:
    assert (config.project.name, environment, start) == ("acme", "production", False)
    raise OSError(errno.ENOSPC, "No space left on device", "ledger.db")


def interrupted(config: Config, environment: str, *, start: bool) -> EnvironmentPorts:
    raise KeyboardInterrupt(config, environment, start)


@pytest.mark.parametrize("name", _OURS)
def test_the_table_says_what_the_command_says_of_itself(name: str) -> None:
    group = switchover
    assert isinstance(group, LazyGroup)
    command = group.get_command(None, name)  # type: ignore[arg-type] # no context is looked at
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name].help


@pytest.mark.parametrize("name", [name for name in COMMANDS if find_spec("switchover.demo.run") or name != "demo"])
def test_every_command_explains_itself(name: str) -> None:
    status, out, _ = capture(name, "--help")
    assert status == 0
    assert "--json" in out


def test_the_help_names_every_command() -> None:
    status, out, _ = capture("--help")
    assert status == 0
    assert all(f"{name} " in out for name in COMMANDS)


def test_an_unknown_command_is_refused_with_the_nearest() -> None:
    status, _, err = capture("rolback")
    assert status == 2
    assert "did you mean rollback?" in err


def test_a_missing_argument_is_the_callers_mistake_in_json_too(project: Project) -> None:
    ran = project.run("rollback", "--json")
    assert ran.status == 2
    assert ran.json["error"]["expected"].startswith("switchover rollback")
    assert "SERVICE" in ran.json["error"]["found"]


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    status, _, err = capture("status", "--config", str(tmp_path / "absent.toml"))
    assert status == 2
    assert "absent.toml" in err
    assert "switchover init" in err


def test_an_unknown_key_names_the_nearest(project: Project) -> None:
    project.config_file.write_text(project.config_file.read_text().replace("bake_seconds", "bake_secunds"))
    ran = project.run("status", "--json")
    assert ran.status == 2
    assert "did you mean bake_seconds?" in ran.json["error"]["found"]


def test_a_defect_is_one_line_and_its_traceback_a_file(project: Project) -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(["status", "--config", str(project.config_file)], broken)
    assert status == 1
    assert "SWITCHOVER_DEBUG=1" in err.getvalue()
    assert len(err.getvalue().splitlines()) == 1
    found = re.search(r"traceback: (\S+);", err.getvalue())
    assert found
    kept = Path(found[1])
    assert "RuntimeError: acme production False" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    kept.unlink()


def test_a_full_disk_is_no_defect(project: Project) -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(["status", "--json", "--config", str(project.config_file)], full)
    assert status == 1
    assert "free some disk space" in err.getvalue()
    assert '"failed": "cannot use ledger.db"' in out.getvalue()


def test_an_interruption_is_one_line(project: Project) -> None:
    err = io.StringIO()
    with redirect_stderr(err):
        status = run(["status", "--config", str(project.config_file)], interrupted)
    assert status == 130
    assert err.getvalue().split() == ["interrupted"]


def test_a_reader_that_goes_away_is_no_failure(project: Project) -> None:
    command = [sys.executable, "-m", "switchover.cli.main", "schema"]
    process = subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_rollback_loads_neither_prefect_nor_anything_heavy(project: Project) -> None:
    project.go_live("1.0.0")
    script = (
        "import sys\n"
        "from switchover.cli.main import run\n"
        "status = run(['rollback', 'shop', 'v1.0.0', '--json'])\n"
        "heavy = ('prefect', 'scipy', 'numpy', 'rich', 'git', 'flows', 'httpx', 'nodesemver')\n"
        "sys.exit(status or ','.join(name for name in heavy if name in sys.modules) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.root, capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"way": "nothing to do"' in done.stdout


def test_the_help_imports_no_command() -> None:
    script = (
        "import sys\n"
        "from switchover.cli.main import run\n"
        "run(['--help'])\n"
        "sys.exit(','.join(sorted(name for name in sys.modules if name.startswith('switchover.adapters'))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
