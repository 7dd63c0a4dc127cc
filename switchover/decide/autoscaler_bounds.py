"""How an autoscaler is kept from making a colour smaller, and let go again: JSON patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.decide.kube_values import KubeObject, mapping_at
from switchover.model import Workload

ANNOTATION_LEAST = "switchover.dev/min-replicas"
_LEAST, _MOST = "/spec/minReplicas", "/spec/maxReplicas"
_OWN_LEAST = f"/metadata/annotations/{ANNOTATION_LEAST.replace('/', '~1')}"

Operations = Sequence[Mapping[str, Any]]


def hold_operations(scaler: KubeObject, running: int) -> Operations:
    """No fewer than `running` from now on; what it was before the first time is remembered in an annotation."""
    least = _least(scaler)
    held = ANNOTATION_LEAST in mapping_at(scaler, "metadata", "annotations")
    remember = [] if held or least == running else [{"op": "add", "path": _OWN_LEAST, "value": str(least)}]
    return [*remember, *set_number(_LEAST, least, running)]


def free_operations(scaler: KubeObject, workload: Workload | None) -> Operations:
    """The bounds of the workload; without one the minimum that was remembered, if any."""
    own = str(mapping_at(scaler, "metadata", "annotations").get(ANNOTATION_LEAST, ""))
    forget = [{"op": "remove", "path": _OWN_LEAST}] if own else []
    if workload is not None:
        least = workload.replicas
        highest = mapping_at(scaler, "spec").get("maxReplicas")
        most = set_number(_MOST, highest, max(workload.max_replicas or least, least))
        return [*forget, *set_number(_LEAST, _least(scaler), least), *most]
    return [*forget, *(set_number(_LEAST, _least(scaler), int(own)) if own.isdecimal() else [])]


def set_number(path: str, now: int | None, wanted: int) -> Operations:
    """Let the field at `path` have this value; nothing when it has."""
    return [] if now == wanted else [{"op": "add", "path": path, "value": wanted}]


def _least(scaler: KubeObject) -> int:
    return int(mapping_at(scaler, "spec").get("minReplicas") or 1)  # one is what the API server takes for none
