"""Everything that runs during the demonstration, with its beginning and its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from switchover.adapters.connect import LocalEnvironment, open_local
from switchover.adapters.processes import end_processes
from switchover.config import load_config
from switchover.demo.children import Child, Crew
from switchover.demo.lanes import Lane
from switchover.demo.load import MOST_SECONDS
from switchover.demo.monitor import Monitor, Sight, check_environment
from switchover.demo.prefect_server import PrefectServer, choose_port, isolate
from switchover.demo.records import EnvironmentCheck, Move, RolloutRecord
from switchover.demo.stage import ENVIRONMENT, SERVICE, Stage
from switchover.errors import SwitchoverError

_LOAD_SECONDS = 1800.0
_SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.2


@dataclass(slots=True)
class Parts:
    """The running parts. `hear` is handed what the judge says, `moved` every move of a rollout."""

    stage: Stage
    crew: Crew
    server: PrefectServer
    hear: Callable[[str], None]
    moved: Callable[[RolloutRecord, Move], None]
    environment: LocalEnvironment | None = None
    monitor: Monitor | None = None
    load: Child | None = None
    processes: int = 0
    _lanes: list[Lane] = field(default_factory=list)

    @classmethod
    def gather(
        cls,
        stage: Stage,
        environ: Mapping[str, str],
        hear: Callable[[str], None],
        moved: Callable[[RolloutRecord, Move], None],
    ) -> Parts:
        """Choose ports and folders; start nothing."""
        port = choose_port()
        crew = Crew.of(stage.work, stage.project, isolate(environ, stage.prefect_home, port), stage.logs)
        return cls(stage, crew, PrefectServer(crew, stage.prefect_home, port), hear, moved)

    def start_lane(self, name: str) -> Lane:
        """Start a process that runs flows. It is not ready yet."""
        lane = Lane.start(self.crew, name, self.hear)
        self._lanes.append(lane)
        return lane

    def open_environment(self) -> None:
        """Bring Envoy and the supervisor up, and begin to watch them."""
        self.environment = open_local(load_config(self.stage.config), ENVIRONMENT, self.crew.environ)
        self.environment.ensure_running()
        self.monitor = Monitor(self.environment.ports, self.moved)
        self.monitor.start()

    @property
    def shop_address(self) -> str:
        """Where the example answers its users."""
        return f"http://{self._environment.target.read_address(SERVICE)}"

    def see(self) -> Sight | None:
        """How the environment stands; None before there is one."""
        return self.monitor.sight if self.monitor else None

    def start_load(self, rate: float, latency_budget_ms: float) -> None:
        """Begin to send the constant load, from a process of its own, bounded in number and time."""
        seconds = min(_LOAD_SECONDS, MOST_SECONDS)
        arguments = {
            "--url": f"{self.shop_address}/",
            "--rate": rate,
            "--requests": int(rate * seconds),
            "--seconds-limit": seconds,
            "--latency-budget-ms": latency_budget_ms,
            "--out": self.stage.load_file,
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        self.load = self.crew.start("load", (sys.executable, "-m", "switchover.demo.load", *words))

    def stop_load(self) -> None:
        """Let the load end in order: what is in flight is waited for and counted."""
        if self.load is not None and self.load.running:
            self.load.process.terminate()
            self.load.wait(_SETTLE_SECONDS)

    def note_processes(self) -> None:
        """Take the processes that run now as the number that should run after every phase."""
        self.processes = len(self._environment.target.environment_processes())

    def check(self, version: str, within_seconds: float = _SETTLE_SECONDS) -> EnvironmentCheck:
        """The environment once `version` is whole on one colour, or as it stands when the time is over."""
        ends = time.monotonic() + within_seconds
        while True:
            target = self._environment.target
            running = len(target.environment_processes())
            found = check_environment(self._environment.ports, running, self.processes or running)
            if not found.find_troubles(version) or time.monotonic() > ends:
                return found
            time.sleep(_POLL_SECONDS)

    def end_lanes(self) -> None:
        """End the processes that run flows."""
        while self._lanes:
            self._lanes.pop().child.end()

    def end(self, *, keep: bool) -> tuple[int, ...]:
        """End everything, or all but the server and the environment; return what still runs and should not."""
        self.end_lanes()
        if self.load is not None:
            self.load.end()
        if self.monitor is not None:
            self.monitor.stop()
        if keep:
            return ()
        self.server.stop()
        if self.environment is None:
            return self.crew.find()
        self.environment.target.stop_environment()
        return (*self.crew.find(), *self.environment.target.environment_processes())

    @property
    def _environment(self) -> LocalEnvironment:
        if self.environment is None:
            msg = "the environment was not opened"
            raise ValueError(msg)
        return self.environment


def end_leftovers(stage: Stage, environ: Mapping[str, str]) -> int:
    """End what an earlier demonstration in this folder left running; return how many processes those were."""
    crew = Crew.of(stage.work, stage.project, environ, stage.logs)
    count = len(crew.find())
    environment = _find_environment(stage, environ)
    if environment is not None:
        count += len(environment.target.environment_processes())
        environment.target.stop_environment()
    end_processes(crew.find())
    return count


def _find_environment(stage: Stage, environ: Mapping[str, str]) -> LocalEnvironment | None:
    try:
        config = load_config(stage.config)
        known = config.state_folder(ENVIRONMENT).is_dir()
    except SwitchoverError:
        return None  # it was killed before there was an environment
    return open_local(config, ENVIRONMENT, environ) if known else None
