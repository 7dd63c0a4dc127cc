from __future__ import annotations

import pytest

from switchover.errors import InputError
from switchover.flags import changes
from switchover.flags.toggling import FlagState, toggling

FLAG = changes.new_flag()


@pytest.mark.parametrize(
    ("state", "variant", "made"),
    [
        (FlagState.ENABLE, None, changes.enable(FLAG)),
        (FlagState.DISABLE, None, changes.disable(FLAG)),
        (FlagState.KILL, None, changes.kill(FLAG)),
        (FlagState.KILL, "on", changes.kill(FLAG, "on")),
        (FlagState.SERVE, "on", changes.set_default(FLAG, "on")),
    ],
)
def test_a_flag_is_made_as_wanted(state: FlagState, variant: str | None, made: changes.Flag) -> None:
    assert toggling("checkout", state, variant)(FLAG) == made


def test_a_killed_flag_is_revived_exactly() -> None:
    assert toggling("checkout", FlagState.REVIVE, None)(changes.kill(FLAG)) == FLAG


@pytest.mark.parametrize(("state", "variant"), [(FlagState.SERVE, None), (FlagState.ENABLE, "on")])
def test_a_variant_stands_beside_what_serves_one(state: FlagState, variant: str | None) -> None:
    with pytest.raises(InputError, match="a variant to serve"):
        toggling("checkout", state, variant)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(InputError, match="there is no flag checkout"):
        toggling("checkout", FlagState.ENABLE, None)(None)
