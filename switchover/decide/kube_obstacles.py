"""What about the namespace, the image and the counting of requests keeps a deployment from beginning."""

from __future__ import annotations

from switchover.errors import SwitchoverError
from switchover.model import WHOLE, Obstacle, Step


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


def from_error(place: str, error: SwitchoverError) -> Obstacle:
    """What an error says, as an obstacle."""
    return Obstacle(place, error.problem.expected, error.problem.found, error.problem.next_step)
