"""What the runners of a slot's replicas wrote down: spawns and exits."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.adapters.private_files import read_or_none


@dataclass(frozen=True, slots=True)
class ReplicaHistory:
    """The past of a slot since it was started. Times are seconds of the epoch.

    `restart_times` has every spawn that followed another of the same replica under the same daemon, without
    having been asked to stop. `out_of_memory`: a replica was ended for its memory limit, or by a SIGKILL that
    nobody here sent (what the kernel does when memory runs out). `last_exits` says per replica, by number, how
    it ended last when nobody had asked it to.
    """

    restart_times: tuple[float, ...]
    out_of_memory: bool
    last_exits: dict[int, str]


def read_replica_history(events: Path) -> ReplicaHistory:
    """Read the JSON-lines file of a slot; a last line that is still being written is left out."""
    lines = (read_or_none(events) or "").split("\n")[:-1]
    restarts: list[float] = []
    exits: dict[int, str] = {}
    before: dict[int, dict[str, Any]] = {}
    out_of_memory = False
    for event in (json.loads(line) for line in lines):
        replica = event["replica"]
        if event["event"] == "spawn":
            previous = before.get(replica)
            if previous is not None and not previous.get("asked") and previous["daemon"] == event["daemon"]:
                restarts.append(event["at"])
            before[replica] = event
        else:
            before[replica] = before.get(replica, {}) | event
            if not event["asked"]:
                exits[replica] = _describe(event)
                out_of_memory |= event["out_of_memory"] or event["signal"] == signal.SIGKILL
    return ReplicaHistory(tuple(restarts), out_of_memory, exits)


def _describe(event: dict[str, Any]) -> str:
    if event["out_of_memory"]:
        return "ended for being over its memory limit"
    if "why" in event:
        return str(event["why"])
    if event["signal"] is not None:
        return f"killed by {_signal_name(event['signal'])}"
    return f"exited with status {event['status']}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal
