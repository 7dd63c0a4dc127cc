"""A repository with two services and the folder store, released by real flow runs that tell a local receiver."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.git_repository import IDENTITY, Repository, new_repository
from tests.prefect.server import PrefectServer
from tests.real_parts.slack import HOOK, TOKEN, Slack

_T = TypeVar("_T")
_PROJECT = Path(__file__).parents[2]
_NONE: Mapping[str, list[str]] = {}
_CONFIG = """\
[project]
name = "{name}"

[services.shop]
path = "services/shop"
command = ["{{python}}", "main.py"]
{shop}

[services.cart]
path = "services/cart"
command = ["{{python}}", "main.py"]
{cart}

[environments.{name}]

[release]
notify = {notify}

[release.scan]
{scan}
"""
_MAKE_BLOCKS = """\
import sys, time
from prefect.blocks.notifications import CustomWebhookNotificationBlock, MattermostWebhook
from prefect.types import SecretDict
from pydantic import SecretStr
from prefect.exceptions import ObjectAlreadyExists
from blocks.slack_thread import SlackThread
name, port, token, hook = sys.argv[1:]

def save(block):
    # A server that has just started makes the types of Prefect's own blocks at the same moment.
    for attempt in range(20):
        try:
            return block.save(name, overwrite=True)
        except ObjectAlreadyExists:
            time.sleep(0.5)
    return block.save(name, overwrite=True)

save(SlackThread(token=SecretStr(token), channel="C1", api=f"http://127.0.0.1:{port}/api"))
save(MattermostWebhook(hostname="127.0.0.1", port=int(port), token=SecretStr(hook)))
save(CustomWebhookNotificationBlock(
    name="hook",
    url=f"http://127.0.0.1:{port}/hooks/{{{{hook}}}}",
    json_data={"text": "{{subject}}: {{body}}"},
    secrets=SecretDict({"hook": hook}),
))
"""
_RELEASE = """\
import json, sys
from flows.release import release
state = release(config=sys.argv[1], dry_run=sys.argv[2] == "True", wait_seconds=0, return_state=True)
said = {"id": str(state.state_details.flow_run_id), "state": state.type.value, "message": state.message}
print(json.dumps(said | {"report": state.result() if state.is_completed() else None}))
"""


@dataclass(slots=True)
class ReleaseProject:
    """The repository and its name, which is that of its blocks too."""

    name: str
    repository: Repository
    server: PrefectServer
    slack: Slack
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def thread(self) -> str:
        return f"switchover-slack-thread/{self.name}"

    @property
    def mattermost(self) -> str:
        return f"mattermost-webhook/{self.name}"

    @property
    def webhook(self) -> str:
        return f"custom-webhook/{self.name}"

    @property
    def config(self) -> str:
        return str(self.repository.root / "switchover.toml")

    def configure(self, *notify: str, scan: str = "enabled = false", builds: Mapping[str, list[str]] = _NONE) -> None:
        """Commit a switchover.toml. `builds` are build commands of shop and cart."""
        own = {each: f"build = {json.dumps(builds[each])}" if each in builds else "" for each in ("shop", "cart")}
        text = _CONFIG.format(name=self.name, notify=json.dumps(notify), scan=scan, **own)
        self.repository.commit("docs: configure", {"switchover.toml": text})

    def make_blocks(self) -> None:
        """The three blocks that tell the receiver."""
        self.python(_MAKE_BLOCKS, self.name, str(self.slack.port), TOKEN, HOOK)

    def release(self, *, dry_run: bool = False, **variables: str) -> dict[str, Any]:
        """One run of the flow in a process of its own: its id, state, message and report, and all that was logged."""
        done = self.python(_RELEASE, self.config, str(dry_run), **variables)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said | {"log": done.stdout + done.stderr}

    def python(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script with this server to its end."""
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=_PROJECT,
            env=self.environ() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self, *command: str, **variables: str) -> Path:
        """Start Python with these arguments beside the test; return its log."""
        log = self.repository.root.parent / f"{len(self.processes)}.log"
        with log.open("w") as stream:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    cwd=_PROJECT,
                    env=self.environ() | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                )
            )
        return log

    def environ(self) -> dict[str, str]:
        return self.server.environ() | IDENTITY | {"PYTHONPATH": str(_PROJECT)}

    def task_runs(self, run: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.server.ask(
            "POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}, "limit": 200}
        )
        return runs

    def wait(self, condition: Callable[[], _T | None], what: str, seconds: float = 90) -> _T:
        """Wait until `condition` gives something, and return that."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            time.sleep(0.2)
        return found


@contextmanager
def open_project(folder: Path, server: PrefectServer, slack: Slack) -> Iterator[ReleaseProject]:
    """Services shop and cart, both 1.0.0; a changeset asks for shop 1.1.0 and cart 1.0.1."""
    repository = new_repository(folder / "repository")
    files: dict[str, str | dict[str, Any]] = {
        "package.json": {"name": "root", "private": True, "workspaces": ["services/*"]},
        ".gitignore": ".switchover/\n",
        ".changeset/more.md": '---\n"shop": minor\n"cart": patch\n---\n\nShip <!channel> at https://acme.example/x.\n',
    }
    for name in ("shop", "cart"):
        files[f"services/{name}/package.json"] = {"name": name, "version": "1.0.0", "private": True}
        files[f"services/{name}/main.py"] = f"print('{name}')\n"
    repository.commit("chore: begin", files)
    for name in ("shop", "cart"):
        repository.git("tag", "--annotate", "--message", name, f"{name}@1.0.0")
    project = ReleaseProject(f"p{uuid.uuid4().hex[:8]}", repository, server, slack)
    try:
        yield project
    finally:
        for process in project.processes:
            process.kill()
            process.wait()
