"""Which rights a deployment needs on Kubernetes, and what to grant when some are missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from switchover.decide.colour_names import SERVICE_PORT, colour_name
from switchover.model import Colour, Obstacle, Workload

_HPA, _PDB = "HorizontalPodAutoscaler", "PodDisruptionBudget"
_SMOKE_TEST_VERBS = ("get", "create")  # the API server's words for GET and POST


@dataclass(frozen=True, slots=True)
class Right:
    """To do `verb` with `resource` (with a subresource: `pods/log`) of an API group; `name` empty: with any of them."""

    verb: str
    group: str
    resource: str
    name: str = ""


def list_rights(service: str, colour: Colour, workload: Workload, ledger: str, route: Right) -> tuple[Right, ...]:
    """Every right that bringing a release live in `colour` needs, and taking it back.

    `ledger` is the name of the ledger's ConfigMap; `route` names the object that is changed to move traffic.
    """
    name, other = colour_name(service, colour), colour_name(service, colour.other)
    kinds = {each["kind"] for each in json.loads(workload.manifest.objects)} if workload.manifest else set()
    copied = {copy.kind for copy in workload.manifest.copies} if workload.manifest else set()
    return tuple(
        dict.fromkeys(
            [
                *_all("", "configmaps", ("get", "list", "create", "patch", "delete")),
                Right("update", "", "configmaps", ledger),
                *(_all("", "secrets", ("get", "create", "patch", "delete")) if "Secret" in copied else ()),
                *_watched(),
                *(right for each in (name, other) for right in _changed("apps", "deployments", each)),
                *(right for each in (name, other) for right in _changed("", "services", each)),
                *_all("", "services/proxy", _SMOKE_TEST_VERBS, f"{name}:{SERVICE_PORT}"),
                *_optional("autoscaling", "horizontalpodautoscalers", name, other, used=_HPA in kinds),
                *_optional("policy", "poddisruptionbudgets", name, other, used=_PDB in kinds),
                *_migration_rights(workload),
                Right("get", route.group, route.resource, route.name),
                Right("patch", route.group, route.resource, route.name),
            ]
        )
    )


def find_right_obstacles(denied: Iterable[Right], namespace: str) -> tuple[Obstacle, ...]:
    """One obstacle for each resource with a right that is missing."""
    by_resource: dict[tuple[str, str], list[Right]] = {}
    for right in denied:
        by_resource.setdefault((right.group, right.resource), []).append(right)
    return tuple(_obstacle(group, resource, rights, namespace) for (group, resource), rights in by_resource.items())


def _obstacle(group: str, resource: str, rights: list[Right], namespace: str) -> Obstacle:
    verbs = list(dict.fromkeys(right.verb for right in rights))
    names = sorted({right.name for right in rights if right.name})
    rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: {json.dumps(verbs)}'
    if names and all(right.name for right in rights):
        rule += f", resourceNames: {json.dumps(names)}"
    return Obstacle(
        f"rights in namespace {namespace}",
        f"to {', '.join(verbs)} {resource}",
        f"not allowed to {', '.join(verbs)}" + (f" ({', '.join(names)})" if names else ""),
        f"grant the deployer's account a rule with {rule}",
    )


def _all(group: str, resource: str, verbs: Iterable[str], name: str = "") -> Iterator[Right]:
    for verb in verbs:
        yield Right(verb, group, resource, name)


def _changed(group: str, resource: str, name: str) -> Iterator[Right]:
    """Server-side apply asks for both, and then for reading what is there."""
    return _all(group, resource, ("get", "create", "patch"), name)


def _optional(group: str, resource: str, name: str, other: str, *, used: bool) -> Iterator[Right]:
    """Both colours: that of the release before is held at its size. An earlier one may have had what this has not."""
    yield from _all(group, resource, ("get", "create", "patch", "delete") if used else ("get", "delete"), name)
    yield from _all(group, resource, ("get", "patch") if used else ("get",), other)


def _watched() -> tuple[Right, ...]:
    return (
        Right("list", "", "pods"),
        Right("get", "", "pods/log"),
        Right("list", "", "events"),
        Right("list", "", "resourcequotas"),
        Right("list", "", "services"),
        Right("list", "policy", "poddisruptionbudgets"),
        Right("list", "apps", "replicasets"),
        Right("list", "discovery.k8s.io", "endpointslices"),
    )


def _migration_rights(workload: Workload) -> Iterator[Right]:
    declared = workload.migrations
    if declared.expand or declared.contract or declared.down:
        yield from _all("batch", "jobs", ("get", "list", "create", "patch", "delete"))
