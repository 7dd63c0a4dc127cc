"""When the containers of a pod were restarted, as far as its status tells."""

from __future__ import annotations

from datetime import datetime

from switchover.adapters.kube_kinds import KubeObject
from switchover.decide.kube_values import mapping_at, mappings_at


def seconds_of(time: object) -> float:
    """An RFC 3339 time in seconds of the epoch; 0 for none."""
    try:
        return datetime.fromisoformat(str(time)).timestamp() if time else 0.0
    except ValueError:
        return 0.0


def read_containers(pod: KubeObject) -> list[KubeObject]:
    """The status of each container, those that run first included."""
    status = mapping_at(pod, "status")
    return [*mappings_at(status, "initContainerStatuses"), *mappings_at(status, "containerStatuses")]


def find_restart_times(pod: KubeObject) -> tuple[float, ...]:
    """One time (seconds of the epoch) for each restart of a container of this pod.

    A status keeps a number and the last two starts. Those before are taken to be spread evenly since the pod began.
    """
    return tuple(at for container in read_containers(pod) for at in find_own_restarts(pod, container))


def find_own_restarts(pod: KubeObject, container: KubeObject) -> tuple[float, ...]:
    """The same for one container of it, by its status."""
    return tuple(_times(container, seconds_of(mapping_at(pod, "status").get("startTime"))))


def _times(container: KubeObject, began: float) -> list[float]:
    count = int(container.get("restartCount") or 0)
    states = (
        mapping_at(container, "state", "running"),
        mapping_at(container, "state", "terminated"),
        mapping_at(container, "lastState", "terminated"),
    )
    starts = (seconds_of(state.get("startedAt") or state.get("finishedAt")) for state in states if state)
    known = sorted((at for at in starts if at), reverse=True)[:count]
    unknown = count - len(known)
    if not known:
        return [began] * unknown
    step = max(0.0, known[-1] - began) / (unknown + 1)
    return [*known, *(began + step * number for number in range(1, unknown + 1))]
