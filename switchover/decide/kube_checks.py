"""What must be true of a user's Deployment, autoscaler and disruption budget; each mistake is an obstacle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from switchover.decide.colour_names import LABEL_SERVICE
from switchover.decide.kube_choices import choose_container
from switchover.decide.kube_selectors import selects
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at, place_of
from switchover.model import Obstacle

_HIGHEST_PORT = 65535
_PODS = "spec.template.spec"


def check_deployment(deployment: KubeObject, service: str, container: str | None, port: str) -> Iterator[Obstacle]:
    """All that is wrong with it, the container and its port."""
    if deployment.get("apiVersion") != "apps/v1":
        yield _wrong(deployment, "apiVersion", "apps/v1", str(deployment.get("apiVersion")), "write it for apps/v1")
    spec = mapping_at(deployment, "spec")
    labels = mapping_at(spec, "template", "metadata", "labels")
    selector = mapping_at(spec, "selector")
    if not selector or not selects(selector, labels):
        yield _wrong(deployment, "spec.selector", "a selector of its own pods", str(selector or "none"), "correct it")
    if spec.get("paused"):
        yield _wrong(deployment, "spec.paused", "false", "true", "take it out: nothing would be started")
    if labels.get(LABEL_SERVICE, service) != service:
        field = f"spec.template.metadata.labels[{LABEL_SERVICE}]"
        yield _wrong(deployment, field, service, str(labels[LABEL_SERVICE]), "take it out, or name the service")
    chosen = choose_container(deployment, container)
    if chosen is None:
        yield _no_container(deployment, container)
    else:
        yield from _check_container(deployment, chosen, port)


def check_scalers(scalers: Sequence[KubeObject]) -> Iterator[Obstacle]:
    """Of the autoscalers of one Deployment."""
    if len(scalers) > 1:
        found = ", ".join(map(place_of, scalers))
        yield _wrong(scalers[1], "spec.scaleTargetRef", "one autoscaler for the Deployment", found, "leave one of them")
    for scaler in scalers:
        spec = mapping_at(scaler, "spec")
        if scaler.get("apiVersion") != "autoscaling/v2":
            found = str(scaler.get("apiVersion"))
            yield _wrong(scaler, "apiVersion", "autoscaling/v2", found, "write it for autoscaling/v2")
        least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
        if not isinstance(least, int) or least < 1:
            yield _wrong(scaler, "spec.minReplicas", "a number from 1 on", str(least), "correct it")
        elif not isinstance(most, int) or most < least:
            yield _wrong(scaler, "spec.maxReplicas", f"a number from {least} on", str(most), "correct it")


def check_budgets(budgets: Sequence[KubeObject]) -> Iterator[Obstacle]:
    """Of the disruption budgets that mean the pods of one Deployment."""
    if len(budgets) > 1:
        found = ", ".join(map(place_of, budgets))
        expected = "one PodDisruptionBudget for the pods (with two, no pod can be evicted)"
        yield _wrong(budgets[1], "spec.selector", expected, found, "leave one of them")
    for budget in budgets:
        if budget.get("apiVersion") != "policy/v1":
            yield _wrong(budget, "apiVersion", "policy/v1", str(budget.get("apiVersion")), "write it for policy/v1")


def _check_container(deployment: KubeObject, container: Mapping[str, Any], port: str) -> Iterator[Obstacle]:
    place = f"{_PODS}.containers[{container.get('name')}]"
    if not mapping_at(container, "readinessProbe"):
        yield _wrong(
            deployment,
            f"{place}.readinessProbe",
            "a readiness probe (without one a pod gets users before it can answer)",
            "none",
            "add one, for example httpGet on the path that says whether it can serve",
        )
    ports = mappings_at(container, "ports")
    if not _has_port(ports, port):
        said = ", ".join(f"{each.get('name', '')} {each.get('containerPort')}".strip() for each in ports) or "none"
        fix = "correct `port` in the service's section `kubernetes`, or declare the port"
        yield _wrong(deployment, f"{place}.ports", f"a TCP port {port}", said, fix)


def _has_port(ports: Sequence[Mapping[str, Any]], port: str) -> bool:
    """A number need not be declared: Kubernetes does not ask for it either. Declared ports are taken at their word."""
    if port.isdecimal() and not ports:
        return 0 < int(port) <= _HIGHEST_PORT
    return any(
        port in {str(each.get("name", "")), str(each.get("containerPort"))} and each.get("protocol", "TCP") == "TCP"
        for each in ports
    )


def _no_container(deployment: KubeObject, container: str | None) -> Obstacle:
    names = [str(each.get("name")) for each in mappings_at(deployment, "spec", "template", "spec", "containers")]
    expected = "one container" if container is None else f"a container called {container}"
    fix = "say in `container` of the service's section `kubernetes` whose image is the release"
    return _wrong(deployment, f"{_PODS}.containers", expected, ", ".join(names) or "none", fix)


def _wrong(obj: KubeObject, field: str, expected: str, found: str, fix: str) -> Obstacle:
    return Obstacle(place_of(obj, field), expected, found, fix)
