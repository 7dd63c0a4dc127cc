"""Which steps a rollout takes."""

from __future__ import annotations

from switchover.errors import InputError
from switchover.model import WHOLE, Step

NAMED: dict[str, tuple[int, ...]] = {
    "instant": (100,),
    "canary-10": (10, 50, 100),
    "canary-50": (50, 100),
    "canary-90": (90, 100),
}
DEFAULT = "canary-10"
OWN_STEPS = "steps"


def choose_steps(
    strategy: str, *, hold_seconds: float, own_steps: tuple[Step, ...] | None, has_live: bool
) -> tuple[Step, ...]:
    """The steps of `strategy`, each held `hold_seconds`; the last one, at 100 %, is held by the bake instead.

    `own_steps` are taken as they are when the strategy is `steps`. With nothing live there is nobody to
    share the traffic with: one step to 100.
    """
    if not has_live:
        return (Step(100, 0.0),)
    if strategy == OWN_STEPS:
        if own_steps is None:
            raise InputError(
                "the strategy `steps` cannot be used here",
                expected="own steps of the environment in switchover.toml",
                found="a named strategy there",
                next_step="write `steps` for the environment, or name one of " + ", ".join(NAMED),
            )
        return own_steps
    return tuple(Step(percent, hold_seconds if percent < WHOLE else 0.0) for percent in NAMED[strategy])
