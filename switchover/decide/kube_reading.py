"""From the objects that a user wrote to what a colour of the service is, or to everything that is wrong with them.

The Deployment may be written once, without a colour, or twice as `<name>-blue` and `<name>-green`; what is written
twice must say the same but for the colour, which is taken out: `shop-config-blue` is then a copy of `shop-config`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from switchover.decide.colour_names import LABEL_COLOUR
from switchover.decide.config_references import Reference, find_references, with_names
from switchover.decide.kube_checks import check_budgets, check_deployment, check_scalers
from switchover.decide.kube_choices import Choice, choose, choose_container
from switchover.decide.kube_selectors import find_two_colour_selectors
from switchover.decide.kube_stripping import strip_budget, strip_deployment, strip_scaler
from switchover.decide.kube_values import KubeObject, canonical, mapping_at, place_of
from switchover.model import ConfigCopy, Manifest, Obstacle


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration says of the service: which Deployment, container and port, and where it belongs."""

    service: str
    workload: str
    container: str | None
    repository: str
    port: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Reading:
    """`manifest` refers to the user's own ConfigMaps and Secrets, those of `references`; see `with_copies`.

    It is None when there are `obstacles`. `replicas` None: the manifests do not say; `max_replicas` None: there is
    no autoscaler.
    """

    manifest: Manifest | None
    references: tuple[Reference, ...] = ()
    replicas: int | None = None
    max_replicas: int | None = None
    obstacles: tuple[Obstacle, ...] = ()


def read_workload(documents: Sequence[KubeObject], wanted: Wanted) -> Reading:
    """The workload in `documents`, which may hold anything else beside it."""
    choice = choose(documents, wanted.workload)
    if isinstance(choice, Obstacle):
        return Reading(None, obstacles=(choice,))
    container = str(mapping_at(choose_container(choice.deployment, wanted.container)).get("name"))
    obstacles = (
        *check_deployment(choice.deployment, wanted.service, wanted.container, wanted.port),
        *check_scalers(choice.scalers),
        *check_budgets(choice.budgets),
        *_check_namespace(choice, wanted.namespace),
        *_check_twin(choice, container),
        *find_two_colour_selectors(_services(documents), wanted.service, _pod_labels(choice)),
    )
    if obstacles:
        return Reading(None, obstacles=obstacles)
    deployment = strip_deployment(choice.deployment, container, wanted.repository, choice.colour)
    scaler = choice.scalers[0] if choice.scalers else None
    objects = [
        deployment,
        *(strip_scaler(each) for each in choice.scalers),
        *(strip_budget(each) for each in choice.budgets),
    ]
    return Reading(
        Manifest(canonical(objects), container, wanted.repository, wanted.port),
        find_references(mapping_at(deployment, "spec", "template", "spec")),
        replicas=int(mapping_at(scaler, "spec").get("minReplicas") or 1) if scaler else _replicas(choice.deployment),
        max_replicas=int(mapping_at(scaler, "spec")["maxReplicas"]) if scaler else None,
    )


def with_copies(manifest: Manifest, copies: Sequence[ConfigCopy]) -> Manifest:
    """The manifest whose pods refer to these copies instead of their sources."""
    names = {(each.kind, each.source): each.name for each in copies}
    changed = []
    for obj in json.loads(manifest.objects):
        template = mapping_at(obj, "spec", "template")
        if template:
            pods = {**template, "spec": with_names(mapping_at(template, "spec"), names)}
            obj = {**obj, "spec": {**mapping_at(obj, "spec"), "template": pods}}  # noqa: PLW2901 a changed copy
        changed.append(obj)
    return Manifest(canonical(changed), manifest.container, manifest.repository, manifest.port, tuple(copies))


def find_pod_labels(manifest: Manifest) -> dict[str, str]:
    """The labels that the user gave the pods."""
    (deployment,) = (obj for obj in json.loads(manifest.objects) if obj["kind"] == "Deployment")
    return mapping_at(deployment, "spec", "template", "metadata", "labels")


def _services(documents: Sequence[KubeObject]) -> list[KubeObject]:
    return [each for each in documents if each.get("kind") == "Service"]


def _pod_labels(choice: Choice) -> dict[str, str]:
    labels = mapping_at(choice.deployment, "spec", "template", "metadata", "labels")
    return {name: value for name, value in labels.items() if name != LABEL_COLOUR}


def _replicas(deployment: KubeObject) -> int | None:
    said = mapping_at(deployment, "spec").get("replicas")
    return int(said) if said else None


def _check_namespace(choice: Choice, namespace: str) -> tuple[Obstacle, ...]:
    objects = (choice.deployment, *choice.scalers, *choice.budgets)
    return tuple(
        Obstacle(
            place_of(obj, "metadata.namespace"),
            expected=f"{namespace}, the namespace of the environment",
            found=str(said),
            fix="leave it out, or name the manifests of this environment under its service in switchover.toml",
        )
        for obj in objects
        if (said := mapping_at(obj, "metadata").get("namespace")) not in {None, namespace}
    )


def _check_twin(choice: Choice, container: str) -> tuple[Obstacle, ...]:
    """Nothing that is said of one colour only may be lost without a word."""
    if choice.twin is None or choice.colour is None:
        return ()
    one = strip_deployment(choice.deployment, container, "", choice.colour)
    other = strip_deployment(choice.twin, container, "", choice.colour.other)
    field = _first_difference(one, other)
    if not field:
        return ()
    return (
        Obstacle(
            place_of(choice.twin, field),
            expected=f"the same as in {place_of(choice.deployment)}",
            found="something else",
            fix="let the two differ in nothing but the colour; a pod finds its own in SWITCHOVER_COLOUR",
        ),
    )


def _first_difference(one: object, other: object, place: str = "") -> str:
    """The first field that differs; empty when none does."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            found = _first_difference(one.get(key), other.get(key), f"{place}.{key}".lstrip("."))
            if found:
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next((found for n, (a, b) in pairs if (found := _first_difference(a, b, f"{place}[{n}]"))), "")
    return "" if one == other else place
