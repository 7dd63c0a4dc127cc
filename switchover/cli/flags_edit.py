"""`switchover flags enable`, `disable`, `rollout` and `target`: the everyday edits of one flag."""

from __future__ import annotations

import click

from switchover.cli.flags_change import Asked, change_one, changing
from switchover.errors import InputError
from switchover.flags import changes

_SHOWN = 100


@click.command()
@click.argument("name")
@changing
def enable(name: str, *, asked: Asked) -> int:
    """Let a flag answer again.

    A killed flag stays killed: that is for `revive`.
    """
    return change_one(asked, name, changes.enable, action="enable")


@click.command()
@click.argument("name")
@changing
def disable(name: str, *, asked: Asked) -> int:
    """Let every caller's own default answer for a flag.

    To switch it off for everybody use `kill`: a caller's default may be on.
    """
    return change_one(asked, name, changes.disable, action="disable")


@click.command()
@click.argument("name")
@click.argument("percent", type=float)
@click.option("--variant", help="The variant that they get; the only one that is true if absent.")
@changing
def rollout(name: str, percent: float, variant: str | None, *, asked: Asked) -> int:
    """Serve a variant to a percentage of all users.

    PERCENT is from 0 to 100, in steps of 0.01. Raising it takes the variant away from nobody who has it.
    """
    return change_one(asked, name, lambda flag: changes.set_percentage(flag, percent, variant), action="rollout")


@click.command()
@click.argument("name")
@click.option("--user", "users", multiple=True, required=True, help="A targeting key; may be repeated.")
@click.option("--variant", help="The variant that they get, before any other rule is asked.")
@click.option("--remove", is_flag=True, help="Treat them like everybody else again.")
@changing
def target(name: str, users: tuple[str, ...], variant: str | None, *, remove: bool, asked: Asked) -> int:
    """Give one user a variant, or take it away."""
    if remove == (variant is not None):
        raise InputError(
            "which variant do they get?",
            expected="either --variant or --remove",
            found="both" if remove else "neither",
            next_step="add --variant on, or --remove",
        )

    def edit(flag: changes.Flag) -> changes.Flag:
        if variant is not None:
            _refuse_lists(users)
            return changes.target_users(flag, users, variant)
        after = changes.untarget_users(flag, users)
        if after == flag:  # one that does have a comma, of another tool's making, can be taken away
            _refuse_lists(users)
        return after

    return change_one(asked, name, edit, action="target")


def _refuse_lists(users: tuple[str, ...]) -> None:
    """`a,b` is one targeting key, which nobody means who writes it."""
    for user in users:
        if "," in user:
            raise InputError(
                "--user names one user",
                expected="one targeting key, without a comma",
                found=user[:_SHOWN],
                next_step="repeat it: " + " ".join(f"--user {each.strip()}" for each in user[:_SHOWN].split(",")),
            )
