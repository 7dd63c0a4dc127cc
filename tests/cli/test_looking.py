"""`status`, `history` and `verify`: what they show, and what they say when things do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.decide.record import begin_rollout
from switchover.errors import TargetError
from switchover.model import Colour, Lease, Reason, Route, Standing, Verdict
from tests.builders import a_plan, an_entry
from tests.cli.harness import Project


def test_status_shows_both_words_about_the_weights(project: Project) -> None:
    project.go_live("1.0.0")
    ran = project.run("status", "--json")
    assert ran.status == 0
    (service,) = ran.json["environments"][0]["services"]
    blue = service["colours"][0]
    assert (service["live_version"], blue["ledger_percent"], blue["router_percent"]) == ("1.0.0", 100, 100)
    assert (blue["ready_replicas"], blue["wanted_replicas"]) == (2, 2)
    assert service["disagreements"] == []
    assert project.started == 0


def test_status_says_plainly_when_router_and_ledger_disagree(project: Project) -> None:
    project.go_live("1.0.0")
    project.target.router.routes["shop"] = Route(40, 60)
    ran = project.run("status", "shop")
    assert "DISAGREEMENT shop: the router applies blue 40 %, green 60 %; the ledger says blue 100 %" in ran.out


def test_status_shows_the_rollout_its_reasons_and_who_holds_the_lease(project: Project) -> None:
    project.go_live("1.0.0")
    record = project.ledger.read()
    record = begin_rollout(a_plan(record), record, rollout_id="run-1", now=100.0, flow_run_id=None)
    service = record.services["shop"]
    assert service.rollout is not None
    verdict = Verdict(Standing.NO_DATA, (Reason("no-data", "3 requests so far"),))
    rollout = replace(service.rollout, reasons=(Reason("errors", "1 in 5 failed"),), verdict=verdict)
    lease = Lease("deploy of shop 1.1.0", 1, project.clock.now() + 12)
    project.ledger.write(
        replace(record, lease=lease, services={"shop": replace(service, rollout=rollout)}),
    )
    ran = project.run("status")
    assert "held by deploy of shop 1.1.0 for another 12 s" in ran.out
    assert "in flight: shop 1.0.0 -> 1.1.0 (canary-10): preparing at 0 %" in ran.out
    assert "errors: 1 in 5 failed" in ran.out
    assert "the judge: no data: 3 requests so far" in ran.out
    assert "last:" not in ran.out
    assert "deployer of this rollout is gone" not in ran.out


def test_status_keeps_the_last_verdict_when_nothing_is_in_flight(project: Project) -> None:
    project.go_live("1.0.0")
    why = (Reason("errors-against-live", "canary errors 4 of 21"),)
    entry = replace(an_entry("1.1.0", outcome="rolled back", ended_at=9.0), reasons=why)
    project.ledger.append_history(entry)
    ran = project.run("status")
    assert "last: shop nothing -> 1.1.0 (instant): rolled back" in ran.out
    assert "errors-against-live: canary errors 4 of 21" in ran.out


def test_status_still_shows_the_ledger_when_the_target_is_silent(project: Project) -> None:
    project.go_live("1.0.0")
    silence = TargetError("the router is silent", expected="an answer", found="none", next_step="repeat")
    project.target.slots.failures.add("read_status", silence)
    ran = project.run("status")
    assert ran.status == 0
    assert "1.0.0" in ran.out
    assert "the target does not answer: the router is silent: none" in ran.out


def test_status_of_nothing_is_no_failure(project: Project) -> None:
    ran = project.run("status")
    assert (ran.status, ran.err) == (0, "")
    assert "nothing was deployed here yet" in ran.out


def test_an_unknown_service_or_environment_is_the_callers_mistake(project: Project) -> None:
    for arguments in (["status", "shpo"], ["history", "shpo"], ["status", "-e", "productoin"], ["verify", "-e", "x"]):
        ran = project.run(*arguments)
        assert ran.status == 2, arguments
        assert "unknown" in ran.err


def test_history_is_newest_first_and_bounded(project: Project) -> None:
    project.go_live("1.0.0")
    versions = [each["entry"]["to_version"] for each in project.run("history", "--json").json["history"]]
    assert versions == ["1.0.0", "0.9.0"]
    assert len(project.run("history", "shop", "-n", "1", "--json").json["history"]) == 1
    assert "0.9.0" in project.run("history").out


def test_history_shortens_the_reasons_unless_they_are_asked_for(project: Project) -> None:
    why = (Reason("errors-against-live", "canary errors 4 of 21 " * 20), Reason("rollback", "the run failed"))
    project.ledger.append_history(replace(an_entry("1.0.0", outcome="rolled back"), reasons=why))
    short, full = project.run("history").out, project.run("history", "-v").out
    assert "… (+1)" in short
    assert max(len(line) for line in short.splitlines()) <= 160
    assert f"  errors-against-live: {why[0].message}".rstrip() in full
    assert "  rollback: the run failed" in full
    assert "the run failed" in project.run("history", "--json").out


def test_verify_is_content_when_everything_fits(project: Project) -> None:
    project.go_live("1.0.0")
    ran = project.run("verify", "--json")
    assert ran.status == 0
    assert ran.json["fits"] is True
    assert len(ran.json["findings"]) == 2


def test_verify_names_bytes_that_are_not_the_released_ones(project: Project) -> None:
    release = project.go_live("1.0.0")
    project.store.fetch(release.artifact.digest).write_text("others")
    ran = project.run("verify")
    assert ran.status == 1
    assert "bytes of shop 1.0.0 on blue: an artifact is damaged" in ran.out


def test_verify_names_processes_that_are_not_there(project: Project) -> None:
    project.go_live("1.0.0")
    project.target.slots.running.clear()
    ran = project.run("verify")
    assert ran.status == 1
    assert "1.0.0 should run on blue: 0 of 0 replicas ready" in ran.out


def test_verify_names_a_process_too_many(project: Project) -> None:
    project.go_live("1.0.0")
    running = project.target.slots.running
    running["shop", Colour.GREEN] = running["shop", Colour.BLUE]
    assert "2 replicas run on green, where nothing should" in project.run("verify").out


def abandon(project: Project) -> None:
    project.go_live("1.0.0")
    record = project.ledger.read()
    project.ledger.write(begin_rollout(a_plan(record), record, rollout_id="run-1", now=1.0, flow_run_id=None))


@pytest.mark.parametrize(
    "command", [("status",), ("history",), ("verify",), ("deploy", "shop", "1.0.0", "--dry-run")], ids=" ".join
)
def test_whoever_looks_ends_what_a_dead_deployer_left_and_says_so(project: Project, command: tuple[str, ...]) -> None:
    abandon(project)
    ran = project.run(*command)
    assert ran.status == 0, ran.out + ran.err
    assert ran.err == "production: ended what a dead deployer left: shop 1.1.0 rolled back\n"
    assert project.ledger.read().services["shop"].rollout is None
    assert project.run(*command).err == ""


def test_what_a_dead_deployer_left_waits_for_the_router(project: Project) -> None:
    abandon(project)
    silence = TargetError("the router is silent", expected="an answer", found="none", next_step="repeat")
    project.target.router.failures.add("read_route", silence, silence)
    ran = project.run("verify")
    assert "`switchover start` brings the environment up and ends it" in ran.err
    assert "nobody holds a lease for" in ran.out


def test_a_recovery_that_fails_keeps_nobody_from_looking(project: Project) -> None:
    abandon(project)
    project.target.router.failures.add("set_route", RuntimeError("a defect"))
    ran = project.run("status")
    assert ran.status == 0
    assert ran.err == "production: could not end what a dead deployer left: RuntimeError: a defect\n"
    assert "in flight: shop 1.0.0 -> 1.1.0" in ran.out


def test_a_damaged_ledger_is_told_and_left_alone(project: Project) -> None:
    project.go_live("1.0.0")
    ledger = project.root / ".switchover" / "production" / "ledger.db"
    for companion in ledger.parent.glob("ledger.db-*"):
        companion.unlink()
    ledger.write_bytes(b"not a database, but long enough to be looked at" * 10)
    ran = project.run("status")
    assert ran.status == 1
    assert "is damaged" in ran.err
    assert ledger.read_bytes().startswith(b"not a database")
