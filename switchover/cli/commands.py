"""The table of all commands, and the group that imports a command only when it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import ClassVar

import click


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is and what it does in one line. `module` is imported when the command is run."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Command] = {
    "init": Command("switchover.cli.init", "init", "Write a commented switchover.toml for this repository."),
    "check": Command("switchover.cli.check", "check", "Judge the switchover.toml and what it refers to."),
    "plan": Command("switchover.cli.plan", "plan", "Show the versions that a release would make."),
    "version": Command("switchover.cli.version", "version", "Write the next versions into the files of a checkout."),
    "pre": Command("switchover.cli.pre", "pre", "Enter or leave the pre-release mode of changesets."),
    "release": Command("switchover.cli.release", "release", "Version, build, scan, sign and publish."),
    "deploy": Command("switchover.cli.deploy", "deploy", "Bring a released version live."),
    "approve": Command("switchover.cli.approve", "approve", "Say yes or no to a tested deployment that waits for it."),
    "rollback": Command("switchover.cli.rollback", "rollback", "Take a service back, even without Prefect."),
    "status": Command("switchover.cli.status", "status", "Show colours, versions, weights and what is in flight."),
    "history": Command("switchover.cli.history", "history", "Show past rollouts with outcome and reasons."),
    "verify": Command("switchover.cli.verify", "verify", "Compare artifacts, ledger, router and processes."),
    "start": Command("switchover.cli.power", "start", "Bring an environment up as its ledger has it."),
    "stop": Command("switchover.cli.power", "stop", "End an environment; its ledger keeps what should run."),
    "watch": Command("switchover.cli.watch", "watch", "End rollouts whose deployer has died; runs for ever."),
    "doctor": Command("switchover.cli.doctor", "doctor", "Show which programs are here and what each is for."),
    "schema": Command("switchover.cli.schema", "schema", "Print the JSON Schema of switchover.toml."),
    "flags": Command("switchover.cli.flags", "flags", "Look at feature flags and change them: list, set, kill, undo."),
    "demo": Command("switchover.demo.run", "demo", "Run the whole main job on this machine."),
}


class LazyGroup(click.Group):
    """A group over a table of commands: its help needs no command, and a command needs no other one."""

    table: ClassVar[Mapping[str, Command]] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, in the order of the work."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command; None for an unknown name."""
        if cmd_name not in self.table:
            return None
        entry = self.table[cmd_name]
        found: click.Command = getattr(import_module(entry.module), entry.attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; refuse an unknown one with the nearest that there is."""
        if args[0] not in self.table and not args[0].startswith("-"):
            close = get_close_matches(args[0], self.table, n=1, cutoff=0.5)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise click.UsageError(f"there is no command {args[0]}{hint}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])
