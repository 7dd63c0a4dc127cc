"""What was released starts a deployment, by the very automation that docs/prefect.md shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.prefect.release_project import ReleaseProject, open_project
from tests.prefect.server import PrefectServer
from tests.real_parts.slack import receiving

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(400)]

_PAGE = Path(__file__).parents[2] / "docs" / "prefect.md"
_CODE = re.compile(r"^```python\n(.*?switchover\.release\.published.*?)^```$", re.MULTILINE | re.DOTALL)
# Stands in for `deploy`, whose parameters it has.
_FLOW = """\
import json, pathlib, sys
from prefect import flow, serve

@flow(name="stand-in")
def stand_in(service: str, version: str, environment: str = "production") -> None:
    with pathlib.Path(__file__).with_name("deployed").open("a") as told:
        told.write(json.dumps([service, version, environment]) + "\\n")

if __name__ == "__main__":
    serve(stand_in.to_deployment(sys.argv[1]), query_seconds=1)
"""
_ANNOUNCE = """\
import json, sys
from prefect import flow
from tasks.announce import announce_release
report = json.loads(sys.argv[1])

@flow(name="announce-again")
def again() -> None:
    announce_release(report)

again()
"""


@pytest.fixture
def project(tmp_path: Path, prefect_server: PrefectServer) -> Iterator[ReleaseProject]:
    with receiving() as slack, open_project(tmp_path, prefect_server, slack) as opened:
        yield opened


@pytest.fixture
def automation(project: ReleaseProject, tmp_path: Path) -> Iterator[str]:
    """The automation of the page, for a deployment of the stand-in; return its name."""
    flow = tmp_path / "stand_in.py"
    flow.write_text(_FLOW)
    log = project.start(str(flow), project.name)
    project.wait(lambda: "being served" in log.read_text(), "the stand-in to be served")
    (code,) = _CODE.findall(_PAGE.read_text())
    name = f"deploy what {project.name} releases"
    for shown, ours in (
        ("deploy/production", f"stand-in/{project.name}"),
        ("switchover.project.acme", f"switchover.project.{project.name}"),
        ("deploy what acme releases", name),
    ):
        assert shown in code
        code = code.replace(shown, ours)
    project.python(code)
    yield name
    for found in project.server.ask("POST", "/automations/filter", {"limit": 200}):
        if found["name"] == name:
            project.server.ask("DELETE", f"/automations/{found['id']}")


@pytest.mark.usefixtures("automation")
def test_each_service_that_was_released_is_deployed_once_in_its_version(
    project: ReleaseProject, tmp_path: Path
) -> None:
    project.configure()
    done = project.release()
    assert done["state"] == "COMPLETED", done["log"]
    deployed = tmp_path / "deployed"

    def read(count: int) -> set[str]:
        lines = deployed.read_text().splitlines() if deployed.exists() else []
        return set(lines) if len(lines) >= count else set()

    both = {'["cart", "1.0.1", "production"]', '["shop", "1.1.0", "production"]'}
    assert project.wait(lambda: read(2), "two deployments") == both

    # The same release once more, as after a kill, and one after it by which it is known that all events are through.
    (shop,) = [each for each in done["report"]["components"] if each["name"] == "shop"]
    last = shop | {"version": "1.2.0"}
    unfinished = shop | {"version": "1.3.0", "stages": {"tag": "skipped: not published"}}
    report = done["report"] | {"components": [shop, unfinished, last]}
    project.python(_ANNOUNCE, json.dumps(report))
    assert project.wait(lambda: read(3), "the third deployment") == both | {'["shop", "1.2.0", "production"]'}
    assert runs_of(project) == 3
    assert events_of(project, "1.1.0") == [
        {key: shop[key] for key in ("name", "version", "kind", "digest", "reference", "tag", "commit", "page")}
        | {"project": project.name}
    ]
    assert events_of(project, "1.3.0") == []


def runs_of(project: ReleaseProject) -> int:
    deployment = project.server.ask("GET", f"/deployments/name/stand-in/{project.name}")
    of_deployment = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    return int(project.server.ask("POST", "/flow_runs/count", of_deployment))


def events_of(project: ReleaseProject, version: str) -> list[dict[str, Any]]:
    """The payloads that the server kept of a version of shop."""
    found = project.server.ask(
        "POST",
        "/events/filter",
        {
            "filter": {
                "event": {"name": ["switchover.release.published"]},
                "any_resource": {"id": [f"switchover.project.{project.name}"]},
            }
        },
    )
    assert {"switchover.service.shop"} <= {event["resource"]["prefect.resource.id"] for event in found["events"]}
    return [
        event["payload"]
        for event in found["events"]
        if event["resource"]["prefect.resource.name"] == "shop" and event["payload"]["version"] == version
    ]
