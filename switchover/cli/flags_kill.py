"""`switchover flags kill` and `revive`: off for everybody at once, with proof, and back exactly."""

from __future__ import annotations

import click

from switchover.cli.flags_change import Asked, change_one, changing
from switchover.flags import changes


@click.command()
@click.argument("name")
@click.option("--variant", help="What everybody gets; the flag's `off` variant, else the one that is false, if absent.")
@changing
def kill(name: str, variant: str | None, *, asked: Asked) -> int:
    """Switch a flag off for everybody at once.

    Everybody gets one variant, whatever the flag's rules say, in every flagd evaluator too. With --wait every
    process that follows the flags has confirmed it, or those that have not are named and the status is 1; so it is
    where nobody follows them. A killed flag can be killed again: that confirms it again.
    """
    return change_one(asked, name, lambda flag: changes.kill(flag, variant), action="kill", strict=True)


@click.command()
@click.argument("name")
@changing
def revive(name: str, *, asked: Asked) -> int:
    """Give a killed flag its rules back.

    They are exactly those that it had, with what was edited since.
    """
    return change_one(asked, name, changes.revive, action="revive", strict=True)
