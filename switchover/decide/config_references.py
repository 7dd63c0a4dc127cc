"""Which ConfigMaps and Secrets a pod refers to, and by what name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from switchover.decide.kube_values import mapping_at, mappings_at

CONFIG_MAP = "ConfigMap"
SECRET = "Secret"  # noqa: S105 a kind, not a password
_OF_THE_CLUSTER = "kube-root-ca.crt"  # written into every namespace; it must follow the cluster, not the release


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A ConfigMap or Secret by its kind and name. `optional`: the pods start without it too."""

    kind: str
    name: str
    optional: bool = False


def find_references(pod_spec: Mapping[str, Any]) -> tuple[Reference, ...]:
    """Each one once, sorted: of volumes and variables of all containers. Pull secrets belong to the registry."""
    found: dict[tuple[str, str], bool] = {}
    for kind, holder, field in _places(pod_spec):
        name = str(holder[field])
        found[kind, name] = found.get((kind, name), True) and holder.get("optional") is True
    return tuple(sorted(Reference(kind, name, optional) for (kind, name), optional in found.items()))


def with_names(pod_spec: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A copy of `pod_spec` that refers to `names[kind, name]` where that is given."""
    changed = copy.deepcopy(dict(pod_spec))
    for kind, holder, field in _places(changed):
        holder[field] = names.get((kind, str(holder[field])), holder[field])
    return changed


def _places(pod_spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Kind, and the mapping and key where the name stands."""
    for kind, holder, field in _all_places(pod_spec):
        if holder.get(field) and holder[field] != _OF_THE_CLUSTER:
            yield kind, holder, field


def _all_places(pod_spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    for volume in mappings_at(pod_spec, "volumes"):
        yield CONFIG_MAP, mapping_at(volume, "configMap"), "name"
        yield SECRET, mapping_at(volume, "secret"), "secretName"
        for source in mappings_at(volume, "projected", "sources"):
            yield CONFIG_MAP, mapping_at(source, "configMap"), "name"
            yield SECRET, mapping_at(source, "secret"), "name"
    for container in (*mappings_at(pod_spec, "initContainers"), *mappings_at(pod_spec, "containers")):
        for source in mappings_at(container, "envFrom"):
            yield CONFIG_MAP, mapping_at(source, "configMapRef"), "name"
            yield SECRET, mapping_at(source, "secretRef"), "name"
        for variable in mappings_at(container, "env"):
            yield CONFIG_MAP, mapping_at(variable, "valueFrom", "configMapKeyRef"), "name"
            yield SECRET, mapping_at(variable, "valueFrom", "secretKeyRef"), "name"
