"""A real project with one tiny service, its flows served by real processes, and what a test asks of both."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from switchover.adapters.connect import LocalEnvironment, open_local
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.config import Config, load_config
from switchover.decide.rollback import DEPLOY
from switchover.model import Colour, EnvironmentRecord, HistoryEntry, Phase, Release, Rollout, Route
from switchover.operations.deployment import plan_deploy
from switchover.operations.lease import acquire
from switchover.operations.roll_out import roll_out
from tests.local_target_fixtures import ask
from tests.prefect.server import PrefectServer

SERVICE = "tiny"
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_SERVER = Path(__file__).parent.parent / "tiny_server.py"
_T = TypeVar("_T")

_CONFIG = """\
[project]
name = "tiny"

[services.tiny]
path = "."
command = ["{{python}}", "server.py"]
replicas = 1
health_path = "/health"
drain_seconds = 0.5
secret_variables = [{secrets}]

[environments.{environment}]
steps = [{{ canary_percent = 50, hold_seconds = {hold_seconds} }}, {{ canary_percent = 100, hold_seconds = 0 }}]
bake_seconds = 0
lease_seconds = {lease_seconds}
judge = {{ no_data_seconds = 600 }}
{approval}

[environments.{environment}.services.tiny]
"""


@dataclass(slots=True)
class House:
    """One project in a folder, one environment in it, and the processes that the test has started."""

    folder: Path
    environment: str
    server: PrefectServer
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return load_config(self.folder)

    @property
    def config_file(self) -> str:
        return str(self.folder / "switchover.toml")

    def local(self) -> LocalEnvironment:
        return open_local(self.config, self.environment)

    # --- releases and deployments ---------------------------------------------------------------------

    def publish(self, version: str, server: str = "") -> Release:
        """Release the tiny server, or another program."""
        store = FolderArtifacts(self.config.artifacts_folder())
        archive, program = self.folder / f"{version}.tar.gz", self.folder / f"{version}.py"
        program.write_text(server or _SERVER.read_text())
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(program, "server.py")
        release = Release(SERVICE, version, store.put(SERVICE, version, "service", archive), "abc1234")
        store.publish(release)
        return release

    def deploy_without_prefect(self, version: str) -> None:
        """Bring a version live at once, by the plain functions."""
        self.publish(version)
        local = self.local()
        local.ensure_running()
        plan = plan_deploy(self.config, local.ports, SERVICE, version, self.environment, "instant", histories={})
        claim = acquire(local.ports, "test", plan.lease_seconds)
        roll_out(local.ports, claim, plan, rollout_id=uuid.uuid4().hex, kind=DEPLOY)

    def order(self, flow: str, **parameters: Any) -> str:
        """Ask the server for a run; return its id."""
        deployment = self.server.ask("GET", f"/deployments/name/{flow}/{self.environment}")
        run = self.server.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def order_deploy(self, version: str) -> str:
        return self.order("deploy", service=SERVICE, version=version)

    # --- processes ------------------------------------------------------------------------------------

    def start(self, name: str, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a process in the project's folder, and remember it by name."""
        log = (self.folder / f"{name}.log").open("w")
        with log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=self.server.environ() | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.processes[name]

    def serve(self, *flows: str, silence_seconds: int = 90) -> None:
        """Serve these flows from one process of their own, and wait until it does."""
        name = "serve-" + "-".join(flows)
        only = [word for flow in flows for word in ("--only", flow)]
        self.start(name, "-m", "flows.serve", "-e", self.environment, "--silence-seconds", str(silence_seconds), *only)
        self.wait(lambda: "being served" in self.log(name), f"{name} to serve", seconds=90)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def flow_process(self, name: str, run_id: str) -> psutil.Process:
        """The process of a flow run: a child of the runner `name`."""
        return self.wait(lambda: self._find_flow_process(name, run_id), f"the process of {run_id}")

    def _find_flow_process(self, name: str, run_id: str) -> psutil.Process | None:
        for child in psutil.Process(self.processes[name].pid).children(recursive=True):
            try:
                command, environ = child.cmdline(), child.environ()
            except psutil.Error:
                continue
            if environ.get("PREFECT__FLOW_RUN_ID") == run_id and any("prefect" in word for word in command):
                return child
        return None

    def kill(self, *names: str) -> None:
        """SIGKILL processes that this test has started, with everything below them."""
        for name in names:
            process = self.processes[name]
            below = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            for child in below:
                child.kill()

    # --- what is there --------------------------------------------------------------------------------

    def record(self) -> EnvironmentRecord:
        return self.local().ports.ledger.read()

    def rollout(self) -> Rollout | None:
        service = self.record().services.get(SERVICE)
        return service.rollout if service else None

    def history(self) -> tuple[HistoryEntry, ...]:
        return self.local().ports.ledger.read_history(SERVICE)

    def rolled_back(self) -> tuple[HistoryEntry, ...]:
        return tuple(entry for entry in self.history() if entry.outcome == Phase.ROLLED_BACK.value)

    def run_state(self, run_id: str) -> str:
        return str(self.server.ask("GET", f"/flow_runs/{run_id}")["state_type"])

    def set_state(self, run_id: str, state_type: str) -> None:
        """Say of a run from outside what state it is in."""
        state = {"type": state_type, "name": state_type.capitalize()}
        self.server.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def runs_of(self, flow: str) -> list[dict[str, Any]]:
        deployment = self.server.ask("GET", f"/deployments/name/{flow}/{self.environment}")
        runs: list[dict[str, Any]] = self.server.ask(
            "POST", "/flow_runs/filter", {"deployments": {"id": {"any_": [deployment["id"]]}}}
        )
        return runs

    def ask_user(self) -> str:
        """What a user gets: `blue 1.0.0`."""
        answer = ask(self.local().target.read_address(SERVICE), "/")
        assert answer.status == http.client.OK
        return str(answer.text)  # type: ignore[attr-defined]

    def wait(self, condition: Callable[[], _T | None], what: str, seconds: float = 60) -> _T:
        """Wait until `condition` gives something, and return that."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}\n{self.tails()}"
            time.sleep(0.05)

    def wait_phase(self, phase: Phase, version: str, canary_percent: int = 0) -> None:
        def reached() -> bool:
            rollout = self.rollout()
            return (
                rollout is not None
                and rollout.release.version == version
                and rollout.phase is phase
                and rollout.canary_percent >= canary_percent
            )

        self.wait(reached, f"{version} to be {phase}", seconds=90)

    def wait_route(self, route: Route, seconds: float = 60) -> float:
        """Wait until the router gives the traffic so; return how long that took."""
        began = time.monotonic()
        router = self.local().ports.router
        self.wait(lambda: router.read_route(SERVICE) == route, f"the route {route}", seconds)
        return time.monotonic() - began

    def wait_ended(self, run_id: str, seconds: float = 90) -> str:
        return self.wait(
            lambda: state if (state := self.run_state(run_id)) in _ENDED else None, f"{run_id} to end", seconds
        )

    def wait_closed(self, seconds: float = 60) -> float:
        """Wait until no rollout is in flight and nobody holds the environment; return how long that took."""
        began = time.monotonic()
        self.wait(lambda: self.rollout() is None and self.record().lease is None, "the rollout to end", seconds)
        return time.monotonic() - began

    def require_one_colour(self, version: str, colour: Colour = Colour.BLUE) -> None:
        """All that speaks says the same: this version, on this colour, alone."""
        service = self.record().services[SERVICE]
        assert service.rollout is None
        assert service.live is colour
        local = self.local()
        assert local.ports.router.read_route(SERVICE) == Route.giving(colour, 100)
        assert local.ports.slots.read_status(SERVICE, colour).ready
        assert local.ports.slots.read_status(SERVICE, colour.other).wanted_replicas == 0
        assert {self.ask_user() for _ in range(20)} == {f"{colour} {version}"}

    def ask_anything(self, address: str) -> None:
        """One request, whatever the answer."""
        with suppress(OSError, http.client.HTTPException):
            ask(address, "/")

    def run_module(self, module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours to its end."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.server.environ() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def tails(self) -> str:
        logs = {name: self.log(name) for name in self.processes}
        logs["server"] = (self.server.home / "server.log").read_text()
        return "\n".join(f"--- {name}\n{log[-3000:]}" for name, log in logs.items())

    def close(self) -> None:
        for process in self.processes.values():
            below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.send_signal(signal.SIGKILL)
            process.wait()
            for child in below:
                child.kill()
        self._cancel_what_is_left()
        self.local().target.stop_environment()

    def _cancel_what_is_left(self) -> None:
        """Nothing of this environment may start later, when its folder is gone."""
        if not self.server.is_up():
            return
        found = self.server.ask("POST", "/deployments/filter", {"deployments": {"tags": {"all_": [self.environment]}}})
        for deployment in found:
            self.server.ask("DELETE", f"/deployments/{deployment['id']}")
        for automation in self.server.ask("POST", "/automations/filter", {}):
            if self.environment in automation["name"]:
                self.server.ask("DELETE", f"/automations/{automation['id']}")


@contextmanager
def open_house(
    folder: Path,
    server: PrefectServer,
    *,
    hold_seconds: float = 300,
    lease_seconds: float = 120,
    secrets: str = "",
    approval_seconds: float | None = None,
) -> Iterator[House]:
    """A project with 1.0.0 live on blue, and 1.1.0 released."""
    environment = f"test-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    approval = "" if approval_seconds is None else f"approval = {{ timeout_seconds = {approval_seconds} }}"
    (folder / "switchover.toml").write_text(
        _CONFIG.format(
            environment=environment,
            hold_seconds=hold_seconds,
            lease_seconds=lease_seconds,
            secrets=secrets,
            approval=approval,
        )
    )
    house = House(folder, environment, server)
    try:
        if not secrets:
            house.deploy_without_prefect("1.0.0")
        house.publish("1.1.0")
        yield house
    finally:
        house.close()
