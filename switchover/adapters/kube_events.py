"""The events that say why a pod does not start, and no others: a namespace can have thousands."""

from __future__ import annotations

from collections.abc import Iterable

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import EVENT, KubeObject
from switchover.adapters.kube_pod_status import MORE_NODES_COME, finds_no_node


def read_events(api: KubeApi, pods: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    """All warnings of the namespace and, when one of these pods finds no node, what says that a node is on its way."""
    warnings = api.list(EVENT, fields={"type": "Warning"})
    if not any(map(finds_no_node, pods)):
        return warnings
    return (*warnings, *(event for reason in MORE_NODES_COME for event in api.list(EVENT, fields={"reason": reason})))
