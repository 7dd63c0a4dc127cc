"""`switchover deploy` up to where Prefect begins, and how its progress reads."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.cli.deploy import after_interruption
from switchover.cli.follow import Teller, describe_move, follow, plan_moves
from switchover.config import load_config
from switchover.decide.health import count_needed_requests
from switchover.decide.record import begin_rollout
from switchover.model import JudgeSettings, Lease, Phase, Reason, Release, Rollout
from tests.builders import a_begun_record, a_plan, an_entry, the_rollout
from tests.cli.harness import Project


def test_a_dry_run_shows_the_plan_and_needs_no_prefect(project: Project) -> None:
    project.go_live("1.0.0")
    project.publish("1.1.0")
    ran = project.run("deploy", "shop", "v1.1.0", "--dry-run", "--strategy", "canary-50")
    assert ran.status == 0, ran.err
    assert "give green 50 %, watch it for 60 s" in ran.out
    assert "keep 1.0.0 warm on blue for 7 s" in ran.out
    assert (project.started, project.target.effects) == (0, [])


def test_the_plan_says_how_much_traffic_its_judge_needs(project: Project) -> None:
    project.publish("1.0.0")
    assert "needs about" not in project.run("deploy", "shop", "1.0.0", "--dry-run").out
    project.go_live("1.0.0")
    project.publish("1.1.0")
    out = project.run("deploy", "shop", "1.1.0", "--dry-run", "--strategy", "instant").out
    needed = count_needed_requests(JudgeSettings())
    assert f"needs about {needed} requests to green within 67 s, or 1.0.0 has all of the traffic again" in out


def test_a_dry_run_beside_a_rollout_in_flight_says_what_it_waits_for(project: Project) -> None:
    release = project.go_live("1.0.0")
    record = project.ledger.read()
    record = begin_rollout(a_plan(record), record, rollout_id="theirs", now=1.0, flow_run_id=None)
    project.ledger.write(replace(record, lease=Lease("deploy of shop 1.1.0", 1, project.clock.now() + 10)))
    ran = project.run("deploy", "shop", release.version, "--dry-run")
    assert ran.status == 0, ran.err
    assert "nothing to do" not in ran.out
    assert "refused as long as shop 1.1.0 is in flight (preparing)" in ran.out


def test_the_plan_is_json_too(project: Project) -> None:
    project.publish("1.0.0")
    ran = project.run("deploy", "shop", "1.0.0", "--dry-run", "--json")
    assert ran.json["plan"]["release"]["version"] == "1.0.0"
    assert ran.json["plan"]["steps"] == [{"canary_percent": 100, "hold_seconds": 0.0}]


def test_a_version_that_was_never_released_is_the_callers_mistake(project: Project) -> None:
    project.publish("1.0.0")
    ran = project.run("deploy", "shop", "3.0.0", "--dry-run")
    assert ran.status == 2
    assert "never released" in ran.err
    assert "1.0.0" in ran.err


def test_an_unknown_strategy_is_the_callers_mistake(project: Project) -> None:
    ran = project.run("deploy", "shop", "1.0.0", "--strategy", "canary-11")
    assert ran.status == 2
    assert "canary-10" in ran.err


def test_without_a_prefect_api_the_next_step_is_named(project: Project) -> None:
    publish_for_real(project)
    done = deploy_for_real(project)
    assert done.returncode == 2
    assert "there is no Prefect API" in done.stderr
    assert "prefect server start" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_prefect_api_that_is_silent_is_named(project: Project) -> None:
    publish_for_real(project)
    done = deploy_for_real(project, PREFECT_API_URL="http://127.0.0.1:1/api")
    assert done.returncode == 2
    assert "the Prefect API at http://127.0.0.1:1/api cannot be used" in done.stderr


def publish_for_real(project: Project) -> None:
    store = FolderArtifacts(load_config(project.config_file).artifacts_folder())
    artifact = store.put("shop", "1.0.0", "service", project.config_file)
    store.publish(Release("shop", "1.0.0", artifact, "0" * 40))


def deploy_for_real(project: Project, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-m", "switchover.cli.main", "deploy", "shop", "1.0.0"],
        cwd=project.root,
        env=clean | {"HOME": str(project.root)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_interruption_says_what_becomes_of_the_rollout(project: Project) -> None:
    project.go_live("1.0.0")
    ports = project.connect(load_config(project.config_file), "production", start=False)
    assert after_interruption(ports, "shop") == "no rollout of shop is in flight any more: 1.0.0 live"
    record = project.ledger.read()
    record = begin_rollout(a_plan(record), record, rollout_id="run-1", now=1.0, flow_run_id=None)
    project.ledger.write(replace(record, lease=Lease("deploy", 1, project.clock.now() + 10)))
    said = after_interruption(ports, "shop")
    assert "shop 1.1.0 is preparing at 0 %; it will be taken back to 1.0.0 by the watchdog within 12 s" in said


def test_progress_is_said_once_per_move_and_the_rollout_of_somebody_else_is_not_told(project: Project) -> None:
    project.go_live("1.0.0")
    idle = project.ledger.read()
    theirs = project.ledger.write(begin_rollout(a_plan(idle), idle, rollout_id="theirs", now=1.0, flow_run_id=None))
    said: list[str] = []
    with follow(project.ledger, "shop", said.append):
        free = project.ledger.write(replace(theirs, services=idle.services))
        project.ledger.write(begin_rollout(a_plan(free), free, rollout_id="ours", now=1.0, flow_run_id=None))
    assert said == ["shop 1.1.0 on green: preparing, 0 % of the traffic"]


GOOD_WAY = [
    "preparing, 0 %",
    "starting, 0 %",
    "testing, 0 %",
    "shifting, 10 %",
    "shifting, 50 %",
    "shifting, 100 %",
    "baking, 100 %",
    "finalizing, 100 %",
]


def tell(looks: list[Rollout], outcome: str, reasons: tuple[Reason, ...] = ()) -> list[str]:
    said: list[str] = []
    teller = Teller(said.append)
    for rollout in looks:
        teller.hear(rollout)
    teller.hear_end(replace(an_entry("1.1.0", outcome=outcome), reasons=reasons))
    return [line.removeprefix("shop 1.1.0 on green: ").replace(" of the traffic", "") for line in said]


@given(st.sets(st.integers(0, len(GOOD_WAY) - 1), min_size=1))
def test_whichever_looks_there_were_a_rollout_that_goes_live_reads_the_same(seen: set[int]) -> None:
    rollout = the_rollout(a_begun_record())
    moves = [plan_moves(rollout)[index] for index in sorted(seen)]
    looks = [replace(rollout, phase=phase, canary_percent=percent) for phase, percent in moves]
    assert tell(looks, "live") == GOOD_WAY


@pytest.mark.parametrize("seen", [(), (1,), (1, 2), (2,)])
def test_whichever_looks_there_were_every_reason_of_a_retreat_has_its_line(seen: tuple[int, ...]) -> None:
    begun = replace(the_rollout(a_begun_record()), phase=Phase.SHIFTING, canary_percent=10)
    reasons = (Reason("errors", "1 in 5 failed"), Reason("rollback", "the deployment ended as Failed"))
    retreats = [replace(begun, phase=Phase.RETREATING, canary_percent=0, reasons=reasons[:count]) for count in seen]
    assert tell([begun, *retreats], "rolled back", reasons) == [
        *GOOD_WAY[:4],
        "retreating, 0 % (1 in 5 failed)",
        "retreating, 0 % (the deployment ended as Failed)",
    ]


def test_a_move_tells_the_last_reason() -> None:
    rollout = replace(
        the_rollout(a_begun_record()), phase=Phase.RETREATING, reasons=(Reason("errors", "1 in 5 failed"),)
    )
    assert describe_move(rollout).endswith("retreating, 0 % of the traffic (1 in 5 failed)")
