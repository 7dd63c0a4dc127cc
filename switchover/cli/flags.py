"""`switchover flags`: the group of what operators do with feature flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

from switchover.cli.commands import Command, LazyGroup
from switchover.errors import MissingProgramError

_TABLE: dict[str, Command] = {
    "list": Command("switchover.cli.flags_look", "list_flags", "Show all flags and what each serves."),
    "show": Command("switchover.cli.flags_look", "show", "Show one flag in full."),
    "set": Command("switchover.cli.flags_set", "set_flag", "Make a flag, or edit one."),
    "enable": Command("switchover.cli.flags_edit", "enable", "Let a flag answer again."),
    "disable": Command("switchover.cli.flags_edit", "disable", "Let every caller's own default answer for a flag."),
    "kill": Command("switchover.cli.flags_kill", "kill", "Switch a flag off for everybody at once."),
    "revive": Command("switchover.cli.flags_kill", "revive", "Give a killed flag its rules back."),
    "rollout": Command("switchover.cli.flags_edit", "rollout", "Serve a variant to a percentage of all users."),
    "target": Command("switchover.cli.flags_edit", "target", "Give one user a variant, or take it away."),
    "history": Command("switchover.cli.flags_look", "history", "Show who changed what, when and why."),
    "undo": Command("switchover.cli.flags_document", "undo", "Take one change back, and none of the later ones."),
    "restore": Command("switchover.cli.flags_document", "restore", "Make the whole set what it was at a version."),
    "import": Command("switchover.cli.flags_document", "import_file", "Make the set what a file in flagd's form says."),
    "export": Command("switchover.cli.flags_document", "export", "Write the set in flagd's form."),
    "results": Command("switchover.cli.flags_results", "results", "Show what an experiment has found so far."),
    "stale": Command("switchover.cli.flags_debt", "stale", "Show which flags can go, and where code asks them."),
    "remove": Command("switchover.cli.flags_debt", "remove", "Take a flag out of the code, and the dead branch too."),
    "serve": Command("switchover.cli.flags_serve", "serve_flags", "Answer flags over HTTP (OFREP)."),
}

# What applications do not need, and where it comes from.
_EXTRAS = {"libcst": "cleanup", "starlette": "web", "uvicorn": "web"}


class FlagsGroup(LazyGroup):
    """The commands of `switchover flags`."""

    table: ClassVar[Mapping[str, Command]] = _TABLE

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; raise `MissingProgramError` naming the extra whose package is not installed."""
        try:
            return super().get_command(ctx, cmd_name)
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
            raise MissingProgramError(
                f"switchover flags {cmd_name} cannot run",
                expected=f"the Python package {error.name}",
                found="it is not installed",
                next_step=f"pip install 'switchover[{_EXTRAS[error.name]}]'",
            ) from error


@click.group(cls=FlagsGroup, invoke_without_command=True)
@click.pass_context
def flags(context: click.Context) -> None:
    """Look at feature flags and change them: list, set, kill, undo.

    The flags are kept where --store, SWITCHOVER_FLAGS or [flags] in switchover.toml says. Every change keeps who and
    why, and can be undone. Every command takes --json.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
