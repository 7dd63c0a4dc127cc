"""Label selectors: which pods they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from switchover.decide.colour_names import LABEL_COLOUR, LABEL_SERVICE
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at, place_of
from switchover.model import Colour, Obstacle

_HEADLESS = "None"


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector with `matchLabels` and `matchExpressions` means a pod with these labels; an empty one does."""
    wanted = mapping_at(selector, "matchLabels")
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _holds(expression, labels) for expression in mappings_at(selector, "matchExpressions")
    )


def find_two_colour_selectors(
    objects: Iterable[KubeObject], service: str, pod_labels: Mapping[str, str]
) -> tuple[Obstacle, ...]:
    """Services and PodDisruptionBudgets among `objects` that mean the pods of both colours.

    Through such a Service users would reach the colour that is not to have any; a second budget for the same pod
    makes every eviction fail. A headless Service is for finding pods, not for traffic, and may mean both.
    """
    both = [{**pod_labels, LABEL_SERVICE: service, LABEL_COLOUR: str(colour)} for colour in Colour]
    return tuple(
        _means_both(obj, field)
        for obj in objects
        for field, selector in _selectors(obj)
        if all(selects(selector, labels) for labels in both)
    )


def _selectors(obj: KubeObject) -> list[tuple[str, dict[str, Any]]]:
    spec = mapping_at(obj, "spec")
    if obj.get("kind") == "Service" and spec.get("clusterIP") != _HEADLESS and mapping_at(spec, "selector"):
        return [("spec.selector", {"matchLabels": mapping_at(spec, "selector")})]
    if obj.get("kind") == "PodDisruptionBudget" and isinstance(spec.get("selector"), dict):
        return [("spec.selector", mapping_at(spec, "selector"))]
    return []


def _means_both(obj: KubeObject, field: str) -> Obstacle:
    remedy = f"add {LABEL_COLOUR}: {Colour.BLUE} to the selector, or delete it: switchover makes one for each colour"
    return Obstacle(
        place_of(obj, field),
        expected="a selector that means the pods of one colour",
        found="one that means the pods of both",
        fix=remedy,
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
