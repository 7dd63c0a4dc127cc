"""The whole demonstration, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demonstration_keeps_every_promise(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "switchover.demo.run", "--json", "--output", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert [promise for promise in report["promises"] if not promise["kept"]] == [], done.stderr
    assert done.returncode == 0
    assert {phase["step"] for phase in report["phases"]} == {1, 3, 4, 5, 6, 7}
    assert all((tmp_path / "out" / name).stat().st_size for name in ("timeline.svg", "timeline.png", "report.json"))
