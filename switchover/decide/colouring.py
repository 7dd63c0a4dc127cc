"""From what a service is on Kubernetes to the objects of one of its colours, and to the Job of a migration."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from switchover.decide.colour_names import (
    ANNOTATION_CONTAINER,
    ANNOTATION_DRAIN_SECONDS,
    ANNOTATION_LOG_ERROR_PATTERN,
    ANNOTATION_RELEASE,
    ANNOTATION_VERSION,
    LABEL_MANAGED_BY,
    LABEL_SERVICE,
    MANAGED_BY,
    SERVICE_PORT,
    SERVICE_PORT_NAME,
    VARIABLE_COLOUR,
    VARIABLE_VERSION,
    colour_labels,
    colour_name,
)
from switchover.decide.kube_selectors import selects
from switchover.decide.kube_stripping import own_selectors
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at
from switchover.model import Colour, Manifest, Release, Workload


@dataclass(frozen=True, slots=True)
class ColourObjects:
    """The objects of a colour. Deployment and Service are always there."""

    deployment: KubeObject
    service: KubeObject
    scaler: KubeObject | None = None
    budget: KubeObject | None = None


def colour_objects(
    release: Release, workload: Workload, manifest: Manifest, colour: Colour, *, size: int, identity: str
) -> ColourObjects:
    """`size` replicas of this release in this colour; an autoscaler may not go below that.

    `identity` says which release and workload it is, in one word. The Service listens on port 80, called `http`,
    and leads to the port of the manifest. The selectors ask for service and colour and nothing else, so they are
    the same for every release.
    """
    service = release.service
    by_kind = {obj["kind"]: obj for obj in json.loads(manifest.objects)}
    deployment = _deployment(by_kind["Deployment"], release, workload, manifest, colour, size)
    deployment["metadata"]["annotations"] |= {
        ANNOTATION_VERSION: release.version,
        ANNOTATION_RELEASE: identity,
        ANNOTATION_CONTAINER: manifest.container,
        ANNOTATION_LOG_ERROR_PATTERN: workload.log_error_pattern,
        ANNOTATION_DRAIN_SECONDS: f"{workload.drain_seconds:g}",
    }
    scaler, budget = by_kind.get("HorizontalPodAutoscaler"), by_kind.get("PodDisruptionBudget")
    return ColourObjects(
        deployment,
        _service(service, manifest, colour),
        None if scaler is None else _scaler(scaler, service, colour, size, workload.max_replicas),
        None if budget is None else _budget(budget, service, colour),
    )


def release_pods(pods: KubeObject, release: Release, workload: Workload, manifest: Manifest) -> KubeObject:
    """The pod spec with the release's image, by digest, and what every container of it finds in its environment."""
    image = f"{manifest.repository}@{release.artifact.digest}"
    for each in (*mappings_at(pods, "initContainers"), *mappings_at(pods, "containers")):
        if each.get("image") == manifest.repository:
            each["image"] = image
    set_variables(pods, manifest.container, {**workload.environment, VARIABLE_VERSION: release.version})
    return pods


def set_variables(pods: KubeObject, container: str, variables: Mapping[str, str]) -> None:
    """Give a container these variables, instead of its own of the same names."""
    for each in mappings_at(pods, "containers"):
        if each.get("name") == container:
            kept = [variable for variable in mappings_at(each, "env") if variable.get("name") not in variables]
            each["env"] = [*kept, *({"name": name, "value": value} for name, value in variables.items())]


def _deployment(
    obj: KubeObject, release: Release, workload: Workload, manifest: Manifest, colour: Colour, size: int
) -> KubeObject:
    labels = colour_labels(release.service, colour)
    spec, template = mapping_at(obj, "spec"), mapping_at(obj, "spec", "template")
    pods = release_pods(mapping_at(template, "spec"), release, workload, manifest)
    set_variables(pods, manifest.container, {VARIABLE_COLOUR: str(colour)})
    own = {**mapping_at(template, "metadata", "labels"), LABEL_SERVICE: release.service}
    for selector in own_selectors(pods):
        # An empty one means all pods of the namespace, whoever's they are.
        if selector and selects(selector, own):
            selector["matchLabels"] = {**mapping_at(selector, "matchLabels"), **labels}
    metadata = mapping_at(template, "metadata")
    least = int(spec.get("minReadySeconds") or 0) + 1  # Kubernetes wants the deadline to be later than that
    return {
        **_named(obj, release.service, colour),
        "spec": {
            "progressDeadlineSeconds": max(math.ceil(workload.ready_seconds), least),
            **spec,
            "replicas": size,
            # A history would let `kubectl rollout undo` bring back what this colour was before.
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    **metadata,
                    "labels": {**mapping_at(metadata, "labels"), **labels},
                    "annotations": {**mapping_at(metadata, "annotations"), ANNOTATION_VERSION: release.version},
                },
                "spec": pods,
            },
        },
    }


def _service(service: str, manifest: Manifest, colour: Colour) -> KubeObject:
    target: int | str = int(manifest.port) if manifest.port.isdecimal() else manifest.port
    port = {"name": SERVICE_PORT_NAME, "port": SERVICE_PORT, "protocol": "TCP", "targetPort": target}
    return {
        **_named({"apiVersion": "v1", "kind": "Service"}, service, colour),
        "spec": {"selector": colour_labels(service, colour), "ports": [port]},
    }


def _scaler(obj: KubeObject, service: str, colour: Colour, size: int, most: int | None) -> KubeObject:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": colour_name(service, colour)}
    bounds = {"minReplicas": size, "maxReplicas": max(most or size, size)}
    return {**_named(obj, service, colour), "spec": {**obj["spec"], "scaleTargetRef": target, **bounds}}


def _budget(obj: KubeObject, service: str, colour: Colour) -> KubeObject:
    selector = {"matchLabels": colour_labels(service, colour)}
    return {**_named(obj, service, colour), "spec": {**obj["spec"], "selector": selector}}


def _named(obj: Mapping[str, Any], service: str, colour: Colour) -> KubeObject:
    metadata = mapping_at(obj, "metadata")
    labels = {**mapping_at(metadata, "labels"), **colour_labels(service, colour), LABEL_MANAGED_BY: MANAGED_BY}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {
            "name": colour_name(service, colour),
            "labels": labels,
            "annotations": dict(mapping_at(metadata, "annotations")),
        },
    }
