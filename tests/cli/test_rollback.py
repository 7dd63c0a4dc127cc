"""`switchover rollback` on a real ledger and a fake target."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from switchover.adapters.prefect_api import PrefectApi, find_prefect_api
from switchover.decide.record import begin_rollout
from switchover.model import Colour, Route
from tests.builders import a_plan
from tests.cli.harness import Project


class Server(ThreadingHTTPServer):
    """Takes events as Prefect does; `status` is its answer to everything."""

    status = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, object]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, json.loads(body) if body else None))
        self.send_response(self.server.status)
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815 the library's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def begin(project: Project) -> None:
    """A canary of 1.1.0 is at 10 % on green, and its deployer is gone."""
    project.go_live("1.0.0")
    record = project.ledger.read()
    plan = replace(a_plan(record), release=project.publish("1.1.0"))
    record = begin_rollout(plan, record, rollout_id="run-1", now=100.0, flow_run_id=None)
    service = record.services["shop"]
    record = replace(record, services={"shop": replace(service, route=Route(90, 10))})
    project.ledger.write(record)
    project.target.slots.running["shop", Colour.GREEN] = (plan.release, plan.workload)
    project.target.router.routes["shop"] = Route(90, 10)


def test_a_rollout_in_flight_is_taken_back(project: Project) -> None:
    begin(project)
    ran = project.run("rollback", "shop", "--environment", "production", "--reason", "it smells", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["plan"]["way"] == "back to the warm colour"
    assert ran.json["entry"]["outcome"] == "rolled back"
    assert "it smells" in json.dumps(ran.json["entry"]["reasons"])
    assert project.target.router.routes["shop"] == Route(100, 0)
    assert ("shop", Colour.GREEN) not in project.target.slots.running
    assert project.ledger.read().lease is None


def test_an_earlier_release_is_brought_back_from_the_ledger(project: Project) -> None:
    project.go_live("1.0.0")
    ran = project.run("rollback", "shop", "v0.9.0")
    assert ran.status == 0, ran.err
    assert ran.out == "shop in production is on 0.9.0 (green): redeploy from the ledger\n"
    assert project.ledger.read().services["shop"].live is Colour.GREEN


def test_a_dry_run_starts_and_changes_nothing(project: Project) -> None:
    begin(project)
    before = project.ledger.read()
    ran = project.run("rollback", "shop", "--dry-run", "--json")
    assert ran.status == 0
    assert ran.json["dry_run"] is True
    assert ran.json["plan"]["serve_version"] == "1.0.0"
    assert (project.started, project.target.effects, project.ledger.read()) == (0, [], before)


def test_what_is_live_already_needs_nothing(project: Project) -> None:
    project.go_live("1.0.0")
    ran = project.run("rollback", "shop", "1.0.0", "--yes")
    assert (ran.status, project.started) == (0, 0)
    assert "1.0.0 is live already" in ran.out


def test_a_version_that_was_never_live_is_the_callers_mistake(project: Project) -> None:
    project.go_live("1.0.0")
    ran = project.run("rollback", "shop", "7.0.0", "--json")
    assert ran.status == 2
    assert "0.9.0" in ran.json["error"]["found"]
    assert project.target.effects == []


def test_an_unknown_service_names_those_there_are(project: Project) -> None:
    ran = project.run("rollback", "shpo")
    assert ran.status == 2
    assert "did you mean shop?" in ran.err


def test_a_service_that_was_never_deployed_is_refused(project: Project) -> None:
    ran = project.run("rollback", "shop")
    assert ran.status == 2
    assert "nothing of shop is in production" in ran.err


def test_the_environment_must_be_named_where_there_are_two(project: Project) -> None:
    project.config_file.write_text(project.config_file.read_text() + "\n[environments.staging]\n")
    ran = project.run("rollback", "shop")
    assert ran.status == 2
    assert "production, staging" in ran.err


def test_an_event_reaches_prefects_api(server: Server) -> None:
    api = PrefectApi(server.url)
    assert api.report({"event": "switchover.rollback"}, 5.0) == ""
    assert api.find_trouble(5.0) == ""
    assert server.requests == [
        ("POST", "/api/events", [{"event": "switchover.rollback"}]),
        ("GET", "/api/health", None),
    ]


def test_a_server_that_refuses_or_is_absent_is_only_reported(server: Server) -> None:
    server.status = 503
    assert PrefectApi(server.url).report({}, 5.0) == f"{server.url.removesuffix('/api')} answered with status 503"
    silent = PrefectApi("http://me:secret@127.0.0.1:1/api")
    assert silent.report({}, 5.0) == "nobody answers at http://127.0.0.1:1"
    assert "no address at all" in PrefectApi("no address at all").find_trouble(5.0)


def test_the_api_comes_from_the_environment_or_the_active_profile(project: Project) -> None:
    profiles = project.root / "profiles.toml"
    profiles.write_text('active = "here"\n[profiles.here]\nPREFECT_API_URL = "http://profile/api"\n')
    environ = {"PREFECT_PROFILES_PATH": str(profiles)}
    assert find_prefect_api(environ) == PrefectApi("http://profile/api")
    assert find_prefect_api(environ | {"PREFECT_API_URL": "http://own/api/"}) == PrefectApi("http://own/api")
    assert find_prefect_api(environ | {"PREFECT_PROFILE": "other"}) is None
    assert find_prefect_api(environ | {"PREFECT_API_KEY": "k"}) == PrefectApi("http://profile/api", "Bearer k")
