"""Which of the user's objects make a colour: the Deployment, and what scales and protects its pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from switchover.decide.colour_names import colour_name
from switchover.decide.kube_selectors import selects
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at, name_of
from switchover.model import Colour, Obstacle

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """`colour` is that of a Deployment which is written once per colour, `twin` then the other one."""

    deployment: KubeObject
    scalers: tuple[KubeObject, ...]
    budgets: tuple[KubeObject, ...]
    colour: Colour | None = None
    twin: KubeObject | None = None


def choose(documents: Sequence[KubeObject], workload: str) -> Choice | Obstacle:
    """The Deployment called `workload`, else the two called so with a colour behind it."""
    deployments = [each for each in documents if each.get("kind") == "Deployment"]
    twice = [name for name, count in Counter(map(name_of, deployments)).items() if count > 1]
    if twice:
        return Obstacle(f"Deployment {twice[0]}", "one of that name", "several", "leave one of them")
    by_name = {name_of(each): each for each in deployments}
    if workload in by_name:
        return _with_companions(documents, by_name[workload], None, None)
    for colour in Colour:
        found = by_name.get(colour_name(workload, colour))
        if found is not None:
            return _with_companions(documents, found, colour, by_name.get(colour_name(workload, colour.other)))
    return _not_there(documents, workload)


def choose_container(deployment: KubeObject, name: str | None) -> KubeObject | None:
    """The container of that name, the only one for None; None when that is not one."""
    containers = mappings_at(deployment, "spec", "template", "spec", "containers")
    fitting = [each for each in containers if name is None or each.get("name") == name]
    return fitting[0] if len(fitting) == 1 else None


def _with_companions(
    documents: Sequence[KubeObject], deployment: KubeObject, colour: Colour | None, twin: KubeObject | None
) -> Choice:
    labels = mapping_at(deployment, "spec", "template", "metadata", "labels")
    return Choice(
        deployment,
        tuple(each for each in documents if _scales(each, name_of(deployment))),
        tuple(
            each
            for each in documents
            if each.get("kind") == "PodDisruptionBudget" and selects(mapping_at(each, "spec", "selector"), labels)
        ),
        colour,
        twin,
    )


def _scales(obj: KubeObject, deployment: str) -> bool:
    target = mapping_at(obj, "spec", "scaleTargetRef")
    return (
        obj.get("kind") == "HorizontalPodAutoscaler"
        and target.get("kind") == "Deployment"
        and target.get("name") == deployment
    )


def _not_there(documents: Sequence[KubeObject], workload: str) -> Obstacle:
    namesakes = [str(each.get("kind")) for each in documents if name_of(each) == workload]
    others = sorted(name_of(each) for each in documents if each.get("kind") == "Deployment")
    found = f"the Deployments {', '.join(others[:_SHOWN])}" if others else "no Deployment"
    if {"StatefulSet", "DaemonSet"} & set(namesakes):
        found = f"a {' and a '.join(namesakes)} of that name; only a Deployment can have two colours"
    return Obstacle(
        f"Deployment {workload}",
        expected=f"it in the manifests, or {workload}-{Colour.BLUE} and {workload}-{Colour.GREEN}",
        found=found,
        fix="correct `workload` or `manifests` in the service's section `kubernetes` of switchover.toml",
    )
