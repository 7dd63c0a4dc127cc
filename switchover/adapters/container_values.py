"""What is asked of a container engine and what it answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_ALIVE = ("running", "restarting", "paused")
_STOPPING = "stopping"  # podman's word; with Docker it just runs
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ContainerWish:
    """One container to run. `published` is its port on the loopback, `port` the one inside."""

    name: str
    image: str
    labels: dict[str, str]
    environment: dict[str, str]
    port: int
    published: int
    memory_limit_mb: int | None
    cpus: float | None
    read_only: bool
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What the engine says of one container. `alive`: it runs, or the engine is about to start it again.

    `stopping`: it was told to end and still runs.

    Times are seconds of the epoch; `cpus` 0: not limited.
    """

    id: str
    name: str
    labels: dict[str, str]
    alive: bool
    stopping: bool
    out_of_memory: bool
    restarts: int
    created_at: float
    started_at: float
    cpus: float
    pid: int
    detail: str


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A start or an end (`exit_status` is not None) of a container; `at` in seconds of the epoch."""

    container: str
    at: float
    exit_status: int | None


def read_state(found: Mapping[str, Any]) -> ContainerState:
    """A container as the engine's `inspect` describes it."""
    state = found["State"]
    ended = (
        ""
        if state["Status"] in (*_ALIVE, _STOPPING)
        else f"{state['Status']} with status {state['ExitCode']} {state['Error']}"
    )
    return ContainerState(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        labels=dict(found["Config"].get("Labels") or {}),
        alive=state["Status"] in _ALIVE,
        stopping=state["Status"] == _STOPPING,
        out_of_memory=bool(state["OOMKilled"]),
        restarts=int(found.get("RestartCount") or 0),
        created_at=read_seconds(found["Created"]),
        started_at=read_seconds(state["StartedAt"]),
        cpus=int(found["HostConfig"].get("NanoCpus") or 0) / _NANO,
        pid=int(state.get("Pid") or 0),
        detail=ended.strip(),
    )


def read_seconds(stamp: str) -> float:
    """RFC 3339 with up to nine digits of a second, as seconds of the epoch."""
    return datetime.fromisoformat(stamp).timestamp()


def read_event(found: Mapping[str, Any]) -> ContainerEvent | None:
    """A start or an end out of the engine's events, None for any other."""
    if found["Action"] not in {"start", "die"}:
        return None
    status = int(found["Actor"]["Attributes"].get("exitCode", 0)) if found["Action"] == "die" else None
    return ContainerEvent(found["Actor"]["ID"], found["timeNano"] / _NANO, status)
