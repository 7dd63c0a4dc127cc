"""The watchdog, look by look, and as the process that it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

from switchover.cli.watch import look
from switchover.config import load_config
from switchover.decide.record import begin_rollout
from switchover.model import Colour, Lease
from tests.builders import a_plan
from tests.cli.harness import Project


def begin(project: Project, *, lease_seconds: float) -> None:
    project.go_live("1.0.0")
    record = project.ledger.read()
    record = begin_rollout(a_plan(record), record, rollout_id="run-1", now=1.0, flow_run_id=None)
    project.ledger.write(replace(record, lease=Lease("deploy", 1, project.clock.now() + lease_seconds)))


def test_a_healthy_environment_is_only_looked_at(project: Project) -> None:
    begin(project, lease_seconds=5)
    assert watch_once(project) == ()
    assert (project.started, project.target.effects) == (0, [])


def test_an_abandoned_rollout_is_ended(project: Project) -> None:
    begin(project, lease_seconds=-1)
    assert watch_once(project) == ("1.1.0 rolled back",)
    assert project.started == 1
    assert project.ledger.read().services["shop"].live is Colour.BLUE
    assert watch_once(project) == ()


def test_a_deployer_that_renews_its_lease_between_two_looks_is_left_alone(project: Project) -> None:
    begin(project, lease_seconds=-1)
    connect = partial(project.connect, load_config(project.config_file), "production")
    suspected, entries = look(connect, None)
    assert (suspected is not None, entries) == (True, ())
    record = project.ledger.read()
    project.ledger.write(replace(record, lease=Lease("deploy", 1, project.clock.now() + 5)))
    assert look(connect, suspected) == (None, ())
    assert project.target.effects == []


def watch_once(project: Project) -> tuple[str, ...]:
    """As long as something is suspected the watchdog looks again."""
    connect = partial(project.connect, load_config(project.config_file), "production")
    suspected, entries = look(connect, None)
    if suspected is not None:
        assert entries == ()
        suspected, entries = look(connect, suspected)
    assert suspected is None
    return tuple(f"{entry.to_version} {entry.outcome}" for entry in entries)


def test_the_process_survives_a_bad_look_says_it_once_and_ends_on_sigterm(project: Project) -> None:
    project.go_live("1.0.0")
    ledger = project.root / ".switchover" / "production" / "ledger.db"
    for companion in ledger.parent.glob("ledger.db-*"):
        companion.unlink()
    ledger.write_bytes(b"not a database, but long enough to be looked at" * 10)
    process = subprocess.Popen(
        [sys.executable, "-m", "switchover.cli.main", "watch", "--environment", "production"],
        cwd=project.root,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "is damaged" in first
    assert (out, err) == ("", "")
