"""What every command that changes flags has in common: its options, its dry run, its proof, and what it says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from switchover.cli.flags_author import give_reason, name_author
from switchover.cli.flags_place import name_place, open_flags, place_options, require_flag, require_known
from switchover.cli.flags_render import render_change, render_diff, render_proof, show_proof
from switchover.cli.output import emit
from switchover.errors import SwitchoverError
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Change, Edits, Json, Note, Snapshot
from switchover.operations.flag_changes import ChangePlan, Decide, change_set, count_edits, plan_change
from switchover.operations.flag_proof import Outcome, Proof, wait_for_acknowledgements

FAILED = 1
_LONGEST_WAIT_SECONDS = 3600.0

FlagEdit = Callable[[dict[str, Json]], Json]
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a change: where, who, why, on which version, only to look, and whether to wait for proof."""

    store: str | None
    config_path: Path | None
    who: str | None
    why: str | None
    version: int | None
    dry_run: bool
    wait: bool
    allow_nobody: bool
    timeout_seconds: float
    as_json: bool

    @property
    def place(self) -> str:
        """Where, as results and errors name it."""
        return name_place(self.store, self.config_path)


def changing(function: _Function) -> Callable[..., Any]:
    """Give a command the options of a change; it gets them as `asked`."""

    @functools.wraps(function)
    def called(
        *arguments: Any,
        store: str | None,
        config_path: Path | None,
        who: str | None,
        why: str | None,
        if_version: int | None,
        timeout: float,
        dry_run: bool,
        wait: bool,
        allow_nobody: bool,
        as_json: bool,
        **rest: Any,
    ) -> Any:
        asked = Asked(store, config_path, who, why, if_version, dry_run, wait, allow_nobody, timeout, as_json)
        return function(*arguments, asked=asked, **rest)

    for option in reversed(
        (
            click.option("--why", help="The reason, for the audit trail."),
            click.option("--who", help="Who it is; Git's user.email, else the user at this host, if absent."),
            click.option(
                "--if-version", type=click.IntRange(0), help="Only while the set is at this version; else refused."
            ),
            click.option("--dry-run", is_flag=True, help="Show what would change and change nothing."),
            click.option("--wait", is_flag=True, help="Wait until every process has confirmed; else status 1."),
            click.option(
                "--allow-nobody", is_flag=True, help="With --wait: status 0 also where no process follows the flags."
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(0, _LONGEST_WAIT_SECONDS),
                default=10.0,
                show_default=True,
                help="How many seconds --wait waits.",
            ),
        )
    ):
        called = option(called)
    return place_options(called)


def change(
    asked: Asked, make: Callable[[FlagStore], Decide], *, action: str, subject: str, strict: bool = False
) -> int:
    """Make the change, or show it; return the exit status.

    `subject` is what is changed, as a person calls it. `strict`: not without a reason.
    """
    store = open_flags(asked.store, asked.config_path)
    decide = make(store)
    plan = plan_change(store.read(), decide, version=asked.version)
    if asked.dry_run:
        emit(
            _document(action, plan.snapshot.version, plan, asked), render_diff(plan, asked.place), as_json=asked.as_json
        )
        return 0
    why = give_reason(asked.why, needed=strict and bool(plan.edits), action=f"{action} {subject}".strip())
    note = Note(name_author(asked.who), why, action)
    made = change_set(store, decide, note, version=asked.version)
    if not asked.as_json:
        click.echo(
            render_change(subject, made, asked.place)
        )  # before the wait: whoever interrupts that has still made the change
    proof = _prove(store, made, asked) if asked.wait else None
    if asked.as_json or proof is not None:
        emit(_told(asked, made, proof), render_proof(proof) if proof else "", as_json=asked.as_json)
    return 0 if proof is None or _suffices(proof, asked) else FAILED


def _prove(store: FlagStore, made: Change, asked: Asked) -> Proof:
    """Wait for the proof. Whatever ends the wait instead, the change is made: whoever reads JSON is told that too."""
    try:
        return wait_for_acknowledgements(store, made.version, asked.timeout_seconds, mark=made.mark)
    except KeyboardInterrupt:
        if asked.as_json:
            emit(_told(asked, made, None), "", as_json=True)
        raise
    except SwitchoverError as error:
        if not asked.as_json:
            raise
        emit(_told(asked, made, None) | {"error": error.problem}, "", as_json=True)
        click.echo(str(error.problem), err=True)
        raise click.exceptions.Exit(error.exit_status) from error


def _suffices(proof: Proof, asked: Asked) -> bool:
    return proof.complete or (asked.allow_nobody and proof.outcome is Outcome.NOBODY)


def change_one(asked: Asked, key: str, edit: FlagEdit, *, action: str, strict: bool = False) -> int:
    """Change one flag that there is, as `change` does."""
    place = asked.place

    def decide(snapshot: Snapshot) -> Edits:
        return {f"flags/{key}": edit(require_flag(snapshot, key, place))}

    return change(asked, lambda _: decide, action=action, subject=key, strict=strict)


def remove_one(asked: Asked, key: str) -> int:
    """Remove one flag, also one that is broken, as `change` does."""
    place = asked.place

    def decide(snapshot: Snapshot) -> Edits:
        require_known(snapshot, key, place)
        return {f"flags/{key}": None}

    return change(asked, lambda _: decide, action="remove", subject=key, strict=True)


def _told(asked: Asked, made: Change, proof: Proof | None) -> dict[str, Any]:
    document = _document(made.note.action, made.version, made, asked)
    return document | {"who": made.note.who, "why": made.note.why, "proof": show_proof(proof)}


def _document(action: str, version: int, of: ChangePlan | Change, asked: Asked) -> dict[str, Any]:
    return {
        "action": action,
        "dry_run": asked.dry_run,
        "place": asked.place,
        "version": version,
        "changed": sorted(of.edits),
        "counts": count_edits(of.before, of.edits),
        "before": of.before,
        "after": of.edits,
    }
