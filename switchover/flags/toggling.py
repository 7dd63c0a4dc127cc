"""What a switch makes of one flag."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from switchover.errors import InputError
from switchover.flags import changes
from switchover.flags.snapshot import Json


class FlagState(StrEnum):
    """What is wanted of a flag."""

    ENABLE = "enable"
    DISABLE = "disable"
    KILL = "kill"
    REVIVE = "revive"
    SERVE = "serve"
    """The variant by default: to those whom no rule speaks of."""


def toggling(flag: str, state: FlagState, variant: str | None) -> Callable[[Json], Json]:
    """The change of the flag's JSON. It raises `InputError` for a flag that is not there or cannot be so."""
    if (state is FlagState.SERVE) != (variant is not None) and state is not FlagState.KILL:
        raise InputError(
            f"{flag} cannot be changed so",
            expected="a variant to serve, and none beside enable, disable and revive",
            found=f"{state.value} with {'no variant' if variant is None else variant}",
            next_step="correct the two",
        )

    def change(definition: Json) -> Json:
        if not isinstance(definition, dict):
            raise InputError(
                f"there is no flag {flag}",
                expected="a flag of the set",
                found=repr(flag),
                next_step="look with `switchover flags list`",
            )
        if state is FlagState.ENABLE:
            return changes.enable(definition)
        if state is FlagState.DISABLE:
            return changes.disable(definition)
        if state is FlagState.KILL:
            return changes.kill(definition, variant)
        return changes.revive(definition) if variant is None else changes.set_default(definition, variant)

    return change
