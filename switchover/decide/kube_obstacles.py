"""What about the namespace, the image and the counting of requests keeps a deployment from beginning."""

from __future__ import annotations

from switchover.errors import SwitchoverError
from switchover.model import WHOLE, Obstacle, Step, Workload

_NOTHING = "nothing: it has no effect on Kubernetes"


def find_namespace_obstacle(namespace: str) -> Obstacle:
    """It is not there."""
    fix = f"create it (`kubectl create namespace {namespace}`), or correct `namespace` in switchover.toml"
    return Obstacle(f"namespace {namespace}", "the namespace of the environment", "no such namespace", fix)


def find_counting_obstacles(steps: tuple[Step, ...], *, counted: bool) -> tuple[Obstacle, ...]:
    """A canary that nobody counts the requests of cannot be judged."""
    shares = [step.canary_percent for step in steps if step.canary_percent != WHOLE]
    if counted or not shares:
        return ()
    fix = "say where requests are counted (`prometheus` in the environment's section), or deploy with `instant`"
    return (Obstacle("kubernetes.prometheus", f"a judge for the step with {shares[0]} %", "nothing", fix),)


def find_idle_settings(
    service: str, workload: Workload, *, placed_replicas: int | None, said_replicas: int | None
) -> tuple[Obstacle, ...]:
    """Settings that would have no effect on a cluster, where somebody may rely on them.

    Those of the service itself are for the target `local`, so a service that can run there too may have them.
    `placed_replicas` is what the environment's section says, `said_replicas` what the manifests do.
    """
    found = []
    if not workload.command and workload.container is None:
        if workload.secret_variables:
            names = ", ".join(workload.secret_variables)
            fix = "let the container take them from a Secret (`env`, `envFrom`)"
            found.append(Obstacle(f"services.{service}.secret_variables", _NOTHING, names, fix))
        if workload.memory_limit_mb is not None:
            limit, fix = f"{workload.memory_limit_mb} MB", "set `resources.limits.memory` of the container"
            found.append(Obstacle(f"services.{service}.memory_limit_mb", _NOTHING, limit, fix))
    if placed_replicas is not None and said_replicas is not None:
        number = f"{placed_replicas}, and {said_replicas} in the manifests, which counts"
        fix = "take it out here, or `replicas` out of the manifests"
        found.append(Obstacle(f"`replicas` of {service} in the environment", _NOTHING, number, fix))
    return tuple(found)


def from_error(place: str, error: SwitchoverError) -> Obstacle:
    """What an error says, as an obstacle."""
    return Obstacle(place, error.problem.expected, error.problem.found, error.problem.next_step)
