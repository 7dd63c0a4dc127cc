"""Everything that can be known to go wrong, before anything changes."""

from __future__ import annotations

from switchover.decide.deployment import Action, DeployPlan
from switchover.decide.rollback import ROLLBACK
from switchover.errors import InputError
from switchover.model import Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, kept_alive


def require_ready(ports: EnvironmentPorts, plan: DeployPlan) -> None:
    """Raise `InputError` with every obstacle that the target shows; nothing was changed."""
    if plan.action is Action.NOTHING:
        return
    obstacles = ports.preflight.find_obstacles(plan.release, plan.workload, plan.new_colour, plan.steps)
    if obstacles:
        raise InputError(
            f"{plan.release.service} {plan.release.version} cannot come live in {plan.environment}",
            expected="; ".join(f"{each.place}: {each.expected}" for each in obstacles),
            found="; ".join(f"{each.place}: {each.found}" for each in obstacles),
            next_step="; ".join(dict.fromkeys(each.fix for each in obstacles)) + " (nothing was changed)",
        )


def back_up(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> None:
    """Keep what is live as it is now; in a rollback that is the bad release, and what was kept before is better."""
    if rollout.strategy == ROLLBACK:
        return
    with kept_alive(ports, claim):
        ports.preflight.back_up(rollout.service, rollout.id, epoch=claim.epoch)
