"""What controllers do after a change, for tests without a cluster: at once, and as a test has told them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from switchover.adapters.kube_kinds import (
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    JOB,
    POD,
    REPLICA_SET,
    SERVICE,
    Kind,
    KubeObject,
    name_of,
)
from tests.kube_emulator import KubeEmulator
from tests.kube_store import KubeStore

_NUMBERS = count(1)


@dataclass(slots=True)
class PodBehaviour:
    """How the pods of an image do. `waiting` is a reason like `ImagePullBackOff`, `terminated` one like `OOMKilled`.

    `ready_pods` None: all of them.
    """

    ready: bool = True
    ready_pods: int | None = None
    waiting: str = ""
    message: str = ""
    restarts: int = 0
    terminated: str = ""
    terminated_at: str = "2026-01-01T00:00:00Z"
    unschedulable: str = ""


@dataclass(slots=True)
class Controllers:
    """Switch them on with `Controllers.on(emulator)`; after changing a field, `settle` lets them act.

    `images` says by a part of the image how its pods do; `failing_jobs` and `running_jobs` hold parts of names.
    `accept_routes` False: routes and gateways keep the conditions of an older generation; `refuse_routes` is the
    reason for not accepting one. `quota` is why no pod can be made.
    """

    emulator: KubeEmulator
    images: dict[str, PodBehaviour] = field(default_factory=dict)
    failing_jobs: set[str] = field(default_factory=set)
    running_jobs: set[str] = field(default_factory=set)
    accept_routes: bool = True
    refuse_routes: str = ""
    quota: str = ""
    paused: bool = False

    @classmethod
    def on(cls, emulator: KubeEmulator) -> Controllers:
        """Let them act on this emulator from now on."""
        controllers = cls(emulator)
        emulator.store.react.append(controllers._react)
        controllers.settle()
        return controllers

    def settle(self) -> None:
        """Act now."""
        with self.emulator.store._changing():
            pass

    def _react(self, store: KubeStore) -> None:
        if self.paused:
            return
        for namespace in store.namespaces:
            for deployment in store.list(DEPLOYMENT, namespace):
                self._run_deployment(store, namespace, deployment)
            for job in store.list(JOB, namespace):
                self._run_job(store, namespace, job)
            for service in store.list(SERVICE, namespace):  # after the pods
                _list_endpoints(store, namespace, service)
            if self.accept_routes:
                for gateway in store.list(GATEWAY, namespace):
                    _program(store, namespace, gateway)
                for route in store.list(HTTP_ROUTE, namespace):
                    self._answer_route(store, namespace, route)

    def _run_deployment(self, store: KubeStore, namespace: str, deployment: KubeObject) -> None:
        spec = deployment["spec"]
        digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        current = f"{name_of(deployment)}-{digest}"
        wanted = spec.get("replicas", 1)
        labels = {**spec["template"]["metadata"]["labels"], "pod-template-hash": digest}
        for owned in store.list(REPLICA_SET, namespace):
            if _is_owned(owned, deployment) and name_of(owned) != current:
                store.delete(REPLICA_SET, namespace, name_of(owned))
        replica_set = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": current, "labels": labels, "ownerReferences": [_owner(deployment)]},
            "spec": {"replicas": wanted, "selector": {"matchLabels": labels}, "template": spec["template"]},
        }
        made = store.put(namespace, replica_set)
        self._run_pods(store, namespace, made, spec["template"], 0 if self.quota else wanted)
        pods = store.list(POD, namespace, labels)
        ready = sum(map(_is_ready, pods))
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": wanted - ready,
            "conditions": [
                {"type": "Available", "status": str(ready >= wanted), "reason": "MinimumReplicas"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }
        if self.quota and wanted:
            failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": self.quota}
            status["conditions"].append(failure)
        store.set_status(DEPLOYMENT, namespace, name_of(deployment), status)

    def _run_pods(
        self, store: KubeStore, namespace: str, owner: KubeObject, template: Mapping[str, Any], wanted: int
    ) -> None:
        names = [f"{name_of(owner)}-{number}" for number in range(wanted)]
        labels = owner["metadata"]["labels"]
        for pod in store.list(POD, namespace, labels):
            if name_of(pod) not in names:
                store.delete(POD, namespace, name_of(pod))
        behaviour = self._behaviour(template)
        for number, name in enumerate(names):
            ready = behaviour.ready and (behaviour.ready_pods is None or number < behaviour.ready_pods)
            metadata = {"name": name, "labels": labels, "ownerReferences": [_owner(owner)]}
            metadata |= (
                {"annotations": template["metadata"]["annotations"]} if "annotations" in template["metadata"] else {}
            )
            made = store.put(
                namespace,
                {
                    **(store.find(POD, namespace, name) or {}),
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": metadata,
                    "spec": template["spec"],
                },
            )
            store.set_status(POD, namespace, name, _pod_status(made, behaviour, ready=ready))

    def _behaviour(self, template: Mapping[str, Any]) -> PodBehaviour:
        images = [container["image"] for container in template["spec"]["containers"]]
        told = (self.images[part] for part in self.images if any(part in image for image in images))
        return next(told, PodBehaviour())

    def _run_job(self, store: KubeStore, namespace: str, job: KubeObject) -> None:
        name = name_of(job)
        if any(part in name for part in self.running_jobs):
            store.set_status(JOB, namespace, name, {"active": 1})
            return
        failed = any(part in name for part in self.failing_jobs)
        labels = {"job-name": name, "batch.kubernetes.io/job-name": name}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{name}-0", "labels": labels, "ownerReferences": [_owner(job)]},
            "spec": job["spec"]["template"]["spec"],
            "status": {"phase": "Failed" if failed else "Succeeded"},
        }
        store.put(namespace, pod)
        kind, counter = ("Failed", "failed") if failed else ("Complete", "succeeded")
        condition = {"type": kind, "status": "True", "reason": "BackoffLimitExceeded" if failed else "Completed"}
        store.set_status(JOB, namespace, name, {counter: 1, "conditions": [condition]})

    def _answer_route(self, store: KubeStore, namespace: str, route: KubeObject) -> None:
        generation = route["metadata"]["generation"]
        backends = [ref["name"] for rule in route["spec"].get("rules", []) for ref in rule.get("backendRefs", [])]
        missing = [name for name in backends if store.find(SERVICE, namespace, name) is None]
        parents = []
        for parent in route["spec"].get("parentRefs", []):
            if store.find(GATEWAY, parent.get("namespace", namespace), parent["name"]) is None:
                continue  # no controller feels responsible
            accepted = _condition("Accepted", not self.refuse_routes, self.refuse_routes or "Accepted", generation)
            resolved = _condition(
                "ResolvedRefs", not missing, "BackendNotFound" if missing else "ResolvedRefs", generation
            )
            parents.append(
                {"parentRef": parent, "controllerName": "example.org/gateway", "conditions": [accepted, resolved]}
            )
        store.set_status(HTTP_ROUTE, namespace, name_of(route), {"parents": parents})


def an_event(kind: Kind, name: str, reason: str, message: str, event_type: str = "Warning") -> KubeObject:
    """An event about an object, as the scheduler and the kubelet write them."""
    at = "2026-01-01T00:00:00Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{next(_NUMBERS):x}"},
        "involvedObject": {"apiVersion": kind.api_version, "kind": kind.kind, "name": name},
        "reason": reason,
        "message": message,
        "type": event_type,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
    }


def _pod_status(pod: KubeObject, behaviour: PodBehaviour, *, ready: bool) -> KubeObject:
    began = pod["metadata"]["creationTimestamp"]
    conditions = [
        {
            "type": "PodScheduled",
            "status": str(not behaviour.unschedulable),
            "reason": "Unschedulable" if behaviour.unschedulable else "",
            "message": behaviour.unschedulable,
        },
        {"type": "Ready", "status": str(ready and not behaviour.waiting and not behaviour.unschedulable)},
    ]
    if behaviour.unschedulable:
        return {"phase": "Pending", "conditions": conditions}
    state: dict[str, Any] = {"running": {"startedAt": began}}
    if behaviour.waiting:
        state = {"waiting": {"reason": behaviour.waiting, "message": behaviour.message}}
    ended = {"reason": behaviour.terminated, "exitCode": 137, "finishedAt": behaviour.terminated_at}
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "ready": ready and not behaviour.waiting,
            "restartCount": behaviour.restarts,
            "state": state,
            "lastState": {"terminated": ended} if behaviour.terminated else {},
        }
        for container in pod["spec"]["containers"]
    ]
    number = int(hashlib.sha256(name_of(pod).encode()).hexdigest()[:4], 16)
    return {
        "phase": "Pending" if behaviour.waiting and not behaviour.restarts else "Running",
        "podIP": f"10.244.{number >> 8}.{number & 255}",
        "startTime": began,
        "conditions": conditions,
        "containerStatuses": containers,
    }


def _list_endpoints(store: KubeStore, namespace: str, service: KubeObject) -> None:
    selector = service["spec"].get("selector")
    if not selector:
        return
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": _is_ready(pod), "serving": _is_ready(pod), "terminating": False},
            "targetRef": {"kind": "Pod", "name": name_of(pod), "namespace": namespace},
        }
        for pod in store.list(POD, namespace, selector)
        if pod.get("status", {}).get("podIP")
    ]
    labels = {"kubernetes.io/service-name": name_of(service)}
    store.put(
        namespace,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name_of(service)}-slice",
                "labels": labels,
                "ownerReferences": [_owner(service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": service["spec"].get("ports", []),
        },
    )


def _program(store: KubeStore, namespace: str, gateway: KubeObject) -> None:
    generation = gateway["metadata"]["generation"]
    conditions = [
        _condition(kind, good=True, reason=kind, generation=generation) for kind in ("Accepted", "Programmed")
    ]
    address = {"type": "IPAddress", "value": "10.0.0.1"}
    store.set_status(GATEWAY, namespace, name_of(gateway), {"conditions": conditions, "addresses": [address]})


def _condition(kind: str, good: bool, reason: str, generation: int) -> KubeObject:  # noqa: FBT001 it is the status
    return {"type": kind, "status": str(good), "reason": reason, "message": "", "observedGeneration": generation}


def _owner(obj: KubeObject) -> KubeObject:
    said = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": name_of(obj)}
    return {**said, "uid": obj["metadata"]["uid"], "controller": True}


def _is_owned(obj: KubeObject, owner: KubeObject) -> bool:
    return any(each["uid"] == owner["metadata"]["uid"] for each in obj["metadata"].get("ownerReferences", ()))


def _is_ready(pod: KubeObject) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
