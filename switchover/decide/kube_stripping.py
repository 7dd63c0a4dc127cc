"""Takes out of a user's objects what belongs to one colour, one cluster or one moment; all else stays as written."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from switchover.decide.colour_names import LABEL_COLOUR, VARIABLE_COLOUR, VARIABLE_VERSION
from switchover.decide.config_references import find_references, with_names
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at
from switchover.model import Colour

_OF_THE_CLUSTER = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "autoscaling.alpha.kubernetes.io/")
_OURS = "switchover.dev/"


def strip_deployment(deployment: KubeObject, container: str, repository: str, colour: Colour | None) -> KubeObject:
    """Without what a colour is given anew; the images of the release are `repository` alone."""
    spec = copy.deepcopy(mapping_at(deployment, "spec"))
    for given in ("selector", "replicas", "revisionHistoryLimit", "paused"):
        spec.pop(given, None)
    template = mapping_at(spec, "template")
    pods = mapping_at(template, "spec")
    for selector in own_selectors(pods):
        mapping_at(selector, "matchLabels").pop(LABEL_COLOUR, None)
        if "matchExpressions" in selector:
            expressions = mappings_at(selector, "matchExpressions")
            selector["matchExpressions"] = [each for each in expressions if each.get("key") != LABEL_COLOUR]
    for each in mappings_at(pods, "containers"):
        if each.get("name") == container:
            _take_image(pods, each.get("image"), repository)
            _take_variables(each)
    if colour is not None:
        pods = with_names(pods, _without_colour(pods, colour))
    spec["template"] = {"metadata": _metadata(template), "spec": pods}
    return _object(deployment, spec)


def strip_scaler(scaler: KubeObject) -> KubeObject:
    """Without its target and its bounds."""
    given = ("scaleTargetRef", "minReplicas", "maxReplicas")
    return _object(scaler, {name: value for name, value in mapping_at(scaler, "spec").items() if name not in given})


def strip_budget(budget: KubeObject) -> KubeObject:
    """Without its selector."""
    return _object(budget, {name: value for name, value in mapping_at(budget, "spec").items() if name != "selector"})


def own_selectors(pods: KubeObject) -> Iterator[dict[str, Any]]:
    """The label selectors by which a pod says which other pods it wants near, far or spread."""
    for name in ("podAffinity", "podAntiAffinity"):
        rules = mapping_at(pods, "affinity", name)
        for term in mappings_at(rules, "requiredDuringSchedulingIgnoredDuringExecution"):
            yield mapping_at(term, "labelSelector")
        for term in mappings_at(rules, "preferredDuringSchedulingIgnoredDuringExecution"):
            yield mapping_at(term, "podAffinityTerm", "labelSelector")
    for constraint in mappings_at(pods, "topologySpreadConstraints"):
        yield mapping_at(constraint, "labelSelector")


def _take_image(pods: KubeObject, image: object, repository: str) -> None:
    """An init container or a sidecar of the same image is of the same release."""
    for each in (*mappings_at(pods, "initContainers"), *mappings_at(pods, "containers")):
        if each.get("image") == image:
            each["image"] = repository


def _take_variables(container: KubeObject) -> None:
    if "env" in container:
        ours = (VARIABLE_COLOUR, VARIABLE_VERSION)
        container["env"] = [each for each in mappings_at(container, "env") if each.get("name") not in ours]


def _without_colour(pods: KubeObject, colour: Colour) -> dict[tuple[str, str], str]:
    ending = f"-{colour}"
    return {
        (each.kind, each.name): each.name.removesuffix(ending)
        for each in find_references(pods)
        if each.name.endswith(ending)
    }


def _object(obj: KubeObject, spec: KubeObject) -> KubeObject:
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": _metadata(obj), "spec": spec}


def _metadata(obj: KubeObject) -> KubeObject:
    """Labels and annotations that are the user's own."""
    metadata = mapping_at(obj, "metadata")
    annotations = {
        name: value
        for name, value in mapping_at(metadata, "annotations").items()
        if not name.startswith((*_OF_THE_CLUSTER, _OURS))
    }
    labels = {name: value for name, value in mapping_at(metadata, "labels").items() if name != LABEL_COLOUR}
    return {name: value for name, value in (("annotations", annotations), ("labels", labels)) if value}
