"""From the objects that controllers keep about a colour to its `SlotStatus`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from switchover.adapters.kube_kinds import KubeObject, name_of
from switchover.adapters.kube_restarts import find_own_restarts, find_restart_times, read_containers, seconds_of
from switchover.decide.colour_names import ANNOTATION_VERSION, SERVICE_PORT
from switchover.decide.kube_values import mapping_at, mappings_at
from switchover.model import SlotStatus

_REVISION = "deployment.kubernetes.io/revision"
_HOPELESS = (
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CrashLoopBackOff",
)
_FAILING = (*_HOPELESS, "ErrImagePull", "CreateContainerError", "RunContainerError")
MORE_NODES_COME = ("TriggeredScaleUp", "Nominated")
"""The reasons of events about a pod for which an autoscaler of the cluster makes room."""

_SCHEDULING_SECONDS = 15.0
_CREATING_SECONDS = 3.0
_PULLS_THAT_ARE_ENOUGH = 2
_NO_SUCH_IMAGE = ("code = NotFound", "manifest unknown")  # a registry that answers so does not think better of it
_SAYS_NOTHING = ("BackOff",)  # the container's status has it better
_RESTARTS_THAT_ARE_A_LOOP = 2
_LOOP_SECONDS = 600.0  # whoever runs that long in between is restarted without a pause again
_SAME_MOMENT_SECONDS = 1.0  # the API server's times are whole seconds
_SHOWN_PODS = 3
_LONGEST_MESSAGE = 400
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class SeenColour:
    """What the API server says of a colour: its Deployment, and all that has the labels of the colour.

    `events` are those of the namespace, needed only while not everything is ready.
    """

    deployment: KubeObject
    replica_sets: tuple[KubeObject, ...]
    pods: tuple[KubeObject, ...]
    slices: tuple[KubeObject, ...]
    events: tuple[KubeObject, ...] = ()

    @property
    def wanted(self) -> int:
        """How many replicas there should be."""
        return int(mapping_at(self.deployment, "spec").get("replicas") or 0)

    @property
    def replica_set(self) -> KubeObject | None:
        """The one of the Deployment as it is now; None until its controller has seen that."""
        seen = int(mapping_at(self.deployment, "status").get("observedGeneration") or 0)
        owned = [each for each in self.replica_sets if _is_owned(each, self.deployment)]
        if seen < int(self.deployment["metadata"].get("generation") or 0) or not owned:
            return None
        return max(owned, key=lambda each: int(mapping_at(each, "metadata", "annotations").get(_REVISION) or 0))

    @property
    def current_pods(self) -> tuple[KubeObject, ...]:
        """Those that are to stay: of that ReplicaSet, neither going nor gone."""
        owner = self.replica_set
        if owner is None:
            return ()
        return tuple(
            pod
            for pod in self.pods
            if _is_owned(pod, owner) and "deletionTimestamp" not in pod["metadata"] and not is_ended(pod)
        )

    @property
    def ready_pods(self) -> frozenset[str]:
        """Current pods that are ready by their own word and to which the Service leads."""
        reachable = {
            str(mapping_at(endpoint, "targetRef").get("name"))
            for each in self.slices
            for endpoint in mappings_at(each, "endpoints")
            if mapping_at(endpoint, "conditions").get("ready") is not False
        }
        return frozenset(name_of(pod) for pod in self.current_pods if _is_ready(pod)) & reachable


def is_ended(pod: KubeObject) -> bool:
    """Whether nothing runs in it any more; evicted pods stay so for a long time."""
    return mapping_at(pod, "status").get("phase") in _ENDED


def slot_status(seen: SeenColour, now: float) -> SlotStatus:
    """What runs there. `now` is in seconds of the epoch; the address is the name and port of the colour's Service.

    It is there before all pods are ready: who has smoke tests to run must not find nothing to run them on.
    """
    if seen.wanted == 0:
        return SlotStatus(0, 0)
    pods, ready = seen.current_pods, seen.ready_pods
    complete = len(ready) >= seen.wanted
    blocked = "" if complete else next(_find_blocks(seen, now), "")[:_LONGEST_MESSAGE]
    containers = [container for pod in pods for container in read_containers(pod)]
    return SlotStatus(
        wanted_replicas=seen.wanted,
        ready_replicas=len(ready),
        failed_replicas=sum(any(_waits_for(each) in _FAILING for each in read_containers(pod)) for pod in pods),
        restart_times=tuple(sorted(at for pod in pods for at in find_restart_times(pod))),
        out_of_memory=any(_ran_out_of_memory(each) for each in containers),
        addresses=(f"{name_of(seen.deployment)}:{SERVICE_PORT}",),
        detail="" if complete else "; ".join(_sentences(seen, ready)) or blocked,
        blocked=blocked,
        failing_replicas=sum(_fails(pod) for pod in pods),
        version=str(mapping_at(seen.deployment, "metadata", "annotations").get(ANNOTATION_VERSION, "")),
    )


def _fails(pod: KubeObject) -> bool:
    """Whether it cannot start, or was ready and lost that while it ran.

    A pod that never was ready has become so before its containers began to run.
    """
    containers = read_containers(pod)
    if any(_waits_for(each) in _FAILING for each in containers):
        return True
    lost = [
        seconds_of(each.get("lastTransitionTime"))
        for each in mappings_at(pod, "status", "conditions")
        if each.get("type") == "Ready" and each.get("status") == "False"
    ]
    began = max((seconds_of(mapping_at(each, "state", "running").get("startedAt")) for each in containers), default=0.0)
    return began > 0 and any(at > began + _SAME_MOMENT_SECONDS for at in lost)


def find_pod_blocks(pod: KubeObject, events: tuple[KubeObject, ...], now: float) -> Iterator[str]:
    """Why this pod cannot start without a change."""
    for container in read_containers(pod):
        if _waits_for(container) in _HOPELESS or _pulls_in_vain(pod, container, events):
            yield _say_waiting(pod, container, events)
    for condition in _unschedulable(pod):
        if _age(condition, now) >= _SCHEDULING_SECONDS:
            of_pod = (each.get("reason") for each in events if _is_about(each, pod))
            if not any(reason in MORE_NODES_COME for reason in of_pod):
                yield f"{name_of(pod)} cannot be scheduled: {condition.get('message')}"


def finds_no_node(pod: KubeObject) -> bool:
    """Whether the scheduler has looked and found no room."""
    return bool(_unschedulable(pod))


def _unschedulable(pod: KubeObject) -> list[KubeObject]:
    return [
        each
        for each in mappings_at(pod, "status", "conditions")
        if each.get("type") == "PodScheduled"
        and each.get("reason") == "Unschedulable"
        and each.get("status") == "False"
    ]


def _find_blocks(seen: SeenColour, now: float) -> Iterator[str]:
    for owner in filter(None, (seen.replica_set, seen.deployment)):
        for condition in mappings_at(owner, "status", "conditions"):
            failed = condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
            broken = condition.get("reason") == "ReplicaSetCreateError"
            if (failed or broken) and _age(condition, now) >= _CREATING_SECONDS:
                yield f"pods cannot be made: {condition.get('message')}"
    for pod in seen.current_pods:
        yield from find_pod_blocks(pod, seen.events, now)
        yield from _find_loops(pod, now)


def _find_loops(pod: KubeObject, now: float) -> Iterator[str]:
    """Each container counts for itself: two pods that were each restarted once are no loop."""
    for container in read_containers(pod):
        recent = [at for at in find_own_restarts(pod, container) if now - at <= _LOOP_SECONDS]
        if not container.get("ready") and len(recent) >= _RESTARTS_THAT_ARE_A_LOOP:
            yield f"{_say_ended(pod, container)}, and was restarted {len(recent)} times"


def _sentences(seen: SeenColour, ready: frozenset[str]) -> Iterator[str]:
    if seen.replica_set is None:
        yield "the cluster's controllers have not seen the change yet"
    waiting = [pod for pod in seen.current_pods if name_of(pod) not in ready]
    for pod in waiting[:_SHOWN_PODS]:
        reasons = [_say_waiting(pod, each, ()) for each in read_containers(pod) if _waits_for(each)]
        # Between two crashes a container runs, and has nothing to wait for.
        reasons = reasons or [_say_ended(pod, each) for each in read_containers(pod) if _last_end(each)]
        warning = find_last_warning(pod, seen.events)
        said = "; ".join(reasons or [f"{name_of(pod)}: {_say_condition(pod)}"])
        yield _with_warning(said, warning)[:_LONGEST_MESSAGE]
    if len(waiting) > _SHOWN_PODS:
        yield f"and {len(waiting) - _SHOWN_PODS} more pods"


def _say_ended(pod: KubeObject, container: KubeObject) -> str:
    ended = _last_end(container)
    said = f"{name_of(pod)}, container {container.get('name')}: it ended with status {ended.get('exitCode')}"
    return f"{said}, {ended.get('reason')}"


def _last_end(container: KubeObject) -> KubeObject:
    return mapping_at(container, "state", "terminated") or mapping_at(container, "lastState", "terminated")


def _say_waiting(pod: KubeObject, container: KubeObject, events: tuple[KubeObject, ...]) -> str:
    waiting = mapping_at(container, "state", "waiting")
    ended = mapping_at(container, "lastState", "terminated")
    sentence = f"{name_of(pod)}, container {container.get('name')}: {waiting.get('reason')}"
    if waiting.get("message"):
        sentence += f": {waiting['message']}"
    if ended:
        sentence += f" (it ended with status {ended.get('exitCode')}, {ended.get('reason')})"
    return _with_warning(sentence, find_last_warning(pod, events))


def _with_warning(sentence: str, warning: str) -> str:
    """Both, unless the warning says the same again."""
    said_already = warning.partition(": ")[2] in sentence
    return sentence if said_already else f"{sentence}; {warning}"


def _say_condition(pod: KubeObject) -> str:
    by_type = {each.get("type"): each for each in mappings_at(pod, "status", "conditions")}
    for kind in ("PodScheduled", "Ready"):
        condition = by_type.get(kind, {})
        if condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or f"not {kind}")
    return "its address is not in the Service yet" if by_type else str(mapping_at(pod, "status").get("phase"))


def find_last_warning(obj: KubeObject, events: tuple[KubeObject, ...]) -> str:
    """The newest warning about an object, empty where there is none."""
    warnings = [
        each
        for each in events
        if each.get("type") == "Warning" and each.get("reason") not in _SAYS_NOTHING and _is_about(each, obj)
    ]
    newest = max(warnings, key=_event_time, default=None)
    return "" if newest is None else f"{newest.get('reason')}: {newest.get('message')}".strip()


def _pulls_in_vain(pod: KubeObject, container: KubeObject, events: tuple[KubeObject, ...]) -> bool:
    """A pull that fails once may be the network's fault."""
    if _waits_for(container) != "ErrImagePull":
        return False
    message = str(mapping_at(container, "state", "waiting").get("message", ""))
    return any(words in message for words in _NO_SUCH_IMAGE) or _failed_pulls(pod, events) >= _PULLS_THAT_ARE_ENOUGH


def _failed_pulls(pod: KubeObject, events: tuple[KubeObject, ...]) -> int:
    pulls = (
        each
        for each in events
        if _is_about(each, pod) and str(each.get("message", "")).startswith("Failed to pull image")
    )
    return sum(int(mapping_at(each, "series").get("count") or each.get("count") or 1) for each in pulls)


def _event_time(event: KubeObject) -> float:
    said = mapping_at(event, "series").get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return seconds_of(said)


def _is_about(event: KubeObject, obj: KubeObject) -> bool:
    about = mapping_at(event, "involvedObject")
    return about.get("kind") == obj.get("kind") and about.get("name") == name_of(obj)


def _is_owned(obj: KubeObject, owner: KubeObject) -> bool:
    uid = owner["metadata"].get("uid")
    return any(each.get("uid") == uid for each in mappings_at(obj, "metadata", "ownerReferences"))


def _is_ready(pod: KubeObject) -> bool:
    conditions = mappings_at(pod, "status", "conditions")
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _waits_for(container: KubeObject) -> str:
    return str(mapping_at(container, "state", "waiting").get("reason", ""))


def _ran_out_of_memory(container: KubeObject) -> bool:
    return any(
        mapping_at(container, state, "terminated").get("reason") == "OOMKilled" for state in ("state", "lastState")
    )


def _age(condition: dict[str, Any], now: float) -> float:
    return now - seconds_of(condition.get("lastTransitionTime"))
