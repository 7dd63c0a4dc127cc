"""Flows run in processes of their own, each of which imports Prefect once (`flows/lane.py`)."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from switchover.demo.children import Child, Crew
from switchover.errors import TargetError

_POLL_SECONDS = 0.2
_READY_SECONDS = 120.0
_RUN_SECONDS = 300.0

Hear = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """How a flow run ended. `result` is what the flow returned when that is a plain document."""

    state: str
    completed: bool
    message: str
    flow_run_id: str
    result: dict[str, Any] | None


@dataclass(slots=True)
class Lane:
    """One process that runs one flow after the other. `hear` is handed what the judge says meanwhile."""

    child: Child
    hear: Hear
    _said: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue)

    @classmethod
    def start(cls, crew: Crew, name: str, hear: Hear) -> Lane:
        """Start the process; it imports Prefect on its own time."""
        lane = cls(crew.start(name, (sys.executable, "-m", "flows.lane"), talks=True), hear)
        threading.Thread(target=lane._listen, name=name, daemon=True).start()
        return lane

    def wait_ready(self) -> None:
        """Return when it can work."""
        self._await("ready", _READY_SECONDS)

    def run(self, flow: str, **parameters: object) -> Run:
        """Run a flow to its end, whatever end. Raises `TargetError` when the process breaks off."""
        self.order(flow, **parameters)
        return self.await_run()

    def order(self, flow: str, **parameters: object) -> None:
        """Let it begin to run a flow. Does not wait."""
        line = json.dumps({"flow": flow, "parameters": parameters}) + "\n"
        try:
            self.child.orders.write(line.encode())
            self.child.orders.flush()
        except OSError as error:
            raise self.child.trouble(f"a process that runs {flow}") from error

    def await_run(self) -> Run:
        """Wait for the run that was ordered."""
        return Run(**self._await("done", _RUN_SECONDS))

    def _await(self, kind: str, within_seconds: float) -> dict[str, Any]:
        remaining = within_seconds
        while remaining > 0:
            try:
                # Short waits, so that Ctrl-C is heard meanwhile.
                said = self._said.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                remaining -= _POLL_SECONDS
                continue
            if said is None:
                break
            if said.pop("kind") == kind:
                return said
        raise self._broken(kind)

    def _broken(self, kind: str) -> TargetError:
        return self.child.trouble(f"the word {kind!r} from it")

    def _listen(self) -> None:
        for line in self.child.answers:
            said = json.loads(line)
            if said["kind"] == "log":
                self.hear(said["message"])
            else:
                self._said.put(said)
        self._said.put(None)
