from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchover.cli.main import run
from tests.git_repository import new_workspace


def test_a_dry_run_shows_the_plan_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = new_workspace(tmp_path)
    before = repository.git("for-each-ref") + repository.git("status", "--porcelain", "--ignored")
    assert run(["release", "--config", str(tmp_path / "switchover.toml"), "--dry-run"]) == 0
    assert "cart  1.0.0 -> 1.1.0" in capsys.readouterr().out
    assert repository.git("for-each-ref") + repository.git("status", "--porcelain", "--ignored") == before


def test_a_release_without_prefect_reports_what_it_did_and_then_that_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = new_workspace(tmp_path)
    command = ["release", "--config", str(tmp_path / "switchover.toml"), "--direct"]
    assert run([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["commit"] == repository.git("rev-parse", "HEAD")
    cart = next(each for each in report["components"] if each["name"] == "cart")
    assert (cart["name"], cart["version"], cart["digest"][:7]) == ("cart", "1.1.0", "sha256:")
    assert list(cart["stages"]) == [*("build", "scan", "code scanning", "sign", "publish", "tag", "page", "point")]
    assert run(command) == 0
    assert capsys.readouterr().out.startswith("Nothing to release")


def test_a_terminal_is_spared_the_stages_that_nobody_configured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_workspace(tmp_path)
    assert run(["release", "--config", str(tmp_path / "switchover.toml"), "--direct"]) == 0
    told = [line.split(":")[0].strip() for line in capsys.readouterr().out.splitlines() if line.startswith(" ")]
    assert set(told) == {"build", "scan", "sign", "publish", "tag"}


def test_a_release_whose_prefect_server_is_silent_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    before = repository.git("for-each-ref")
    environ = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:1/api"}
    command = [sys.executable, "-m", "switchover.cli.main", "release", "--config", str(tmp_path / "switchover.toml")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "http://127.0.0.1:1/api cannot be used" in done.stderr
    assert "--direct" in done.stderr
    assert repository.git("for-each-ref") == before
