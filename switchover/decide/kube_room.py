"""Whether the quotas of a namespace leave room for a second colour."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from switchover.decide.kube_values import mapping_at, mappings_at, name_of
from switchover.model import Obstacle

Json: TypeAlias = Mapping[str, Any]

_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE])?)")
_SUFFIXES = {
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in ((-3, "n"), (-2, "u"), (-1, "m"))},
    **{unit: Decimal(1000) ** (power + 1) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Decimal(1024) ** (power + 1) for power, unit in enumerate("KMGTPE")},
}
_FITTING_SCOPES = {"NotTerminating", "NotBestEffort"}
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}


def parse_quantity(text: object) -> Decimal:
    """A quantity of Kubernetes (`250m`, `1.5Gi`, `2e3`) as a number; 0 for what is none."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None or found[1].count(".") > 1 or not found[1].strip("+-."):
        return Decimal(0)
    return Decimal(found[1] + (found[2] or "")) * _SUFFIXES[found[3] or ""]


def count_pod(pods: Json) -> dict[str, Decimal]:
    """What one pod of this spec takes of a quota: `pods`, `requests.cpu`, `limits.memory` and the like.

    As the scheduler counts: all containers and sidecars together, or the largest init container if that is more.
    """
    running = [_count_container(each) for each in mappings_at(pods, "containers")]
    sidecars, largest = [], dict[str, Decimal]()
    for each in mappings_at(pods, "initContainers"):
        counted = _count_container(each)
        if each.get("restartPolicy") == "Always":
            sidecars.append(counted)
        largest = _join(max, [largest, _join(sum, [counted, *sidecars])])
    total = _join(max, [_join(sum, [*running, *sidecars]), largest])
    return {**total, "pods": Decimal(1), "count/pods": Decimal(1)}


def find_room_obstacles(quotas: Iterable[Json], pods: Json, size: int) -> tuple[Obstacle, ...]:
    """What `size` more pods of this spec would exceed. Quotas for other kinds of pods are not looked at."""
    each = count_pod(pods)
    return tuple(
        obstacle
        for quota in quotas
        if set(mapping_at(quota, "spec").get("scopes") or ()) <= _FITTING_SCOPES
        if not mapping_at(quota, "spec", "scopeSelector")
        for obstacle in _find_in(quota, each, size)
    )


def _find_in(quota: Json, each: Mapping[str, Decimal], size: int) -> Iterable[Obstacle]:
    hard, used = mapping_at(quota, "status", "hard"), mapping_at(quota, "status", "used")
    for name, most in hard.items():
        needed = each.get(_ALIASES.get(name, name), Decimal(0)) * size
        left = parse_quantity(most) - parse_quantity(used.get(name, 0))
        if needed > left:
            yield Obstacle(
                f"ResourceQuota {name_of(quota)}, {name}",
                f"room for {size} pods of the second colour: {_say(needed)}",
                f"{_say(max(left, Decimal(0)))} left of {most}",
                "raise the quota, let the service ask for less, or run fewer replicas",
            )


def _count_container(container: Json) -> dict[str, Decimal]:
    resources = container.get("resources")
    limits, requests = mapping_at(resources, "limits"), mapping_at(resources, "requests")
    asked = {**limits, **requests}  # what has a limit only asks for that much
    return {
        **{f"requests.{name}": parse_quantity(value) for name, value in asked.items()},
        **{f"limits.{name}": parse_quantity(value) for name, value in limits.items()},
    }


def _join(how: Any, counts: list[dict[str, Decimal]]) -> dict[str, Decimal]:
    names = {name for each in counts for name in each}
    return {name: Decimal(how([each.get(name, Decimal(0)) for each in counts])) for name in names}


def _say(amount: Decimal) -> str:
    """Whole numbers as they are, memory in MiB."""
    mebibytes = 1024 * 1024
    if amount >= mebibytes:
        return f"{math.ceil(amount / mebibytes)}Mi"
    return f"{amount.normalize():f}"
