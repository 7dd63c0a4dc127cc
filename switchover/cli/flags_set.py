"""`switchover flags set`: make a flag, or edit what is not an everyday edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import click

from switchover.cli.flags_change import Asked, change, changing
from switchover.cli.flags_files import read_json
from switchover.cli.flags_place import require_flag
from switchover.cli.flags_values import CLEAR, read_day, read_prerequisites, read_variants
from switchover.errors import InputError
from switchover.flags import changes
from switchover.flags.additions import EXPERIMENT, EXPIRES, OFF, OWNER, PREREQUISITES
from switchover.flags.change_kill import edit_inside
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Edits, Json, Snapshot
from switchover.operations.flag_changes import Decide
from switchover.operations.flag_history import refuse_lost_set

_Flag = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None, and an empty mapping of additions: not touched."""

    variants: dict[str, Json] | None
    default: str | None
    targeting: Json
    touches_targeting: bool
    additions: dict[str, date | dict[str, str] | str | bool | None]


@click.command("set")
@click.argument("name")
@click.option("--variants", help="on=true,off=false or a JSON object; on and off for a new flag if absent.")
@click.option("--default", help="The variant that is served where no rule speaks.")
@click.option("--targeting", metavar="FILE", help="Rules in flagd's JsonLogic; - is standard input.")
@click.option("--no-targeting", is_flag=True, help="Take all rules away.")
@click.option("--off", help=f"The variant that a kill serves; {CLEAR}: the one that is false.")
@click.option("--owner", help=f"Who looks after it; {CLEAR}: nobody.")
@click.option("--expires", help=f"The day, like 2027-01-31, when it should be gone; {CLEAR}: never.")
@click.option(
    "--prerequisite",
    "prerequisites",
    multiple=True,
    help=f"other=on: only where the flag `other` serves `on`; may be repeated; {CLEAR}: no prerequisite.",
)
@click.option("--experiment/--no-experiment", default=None, help="Whether exposures are recorded for `results`.")
@click.option("--new-set", is_flag=True, help="Begin a new set with this flag alone, where there was another one.")
@changing
def set_flag(name: str, *, asked: Asked, new_set: bool, **options: Any) -> int:
    """Make a flag, or edit one.

    What is not named stays as it is. A killed flag stays killed: what is set is what it serves when it is revived.
    """
    wanted = _read(**options)

    def deciding(store: FlagStore) -> Decide:
        def decide(snapshot: Snapshot) -> Edits:
            if not (snapshot.version or new_set):
                refuse_lost_set(store)
            part = f"flags/{name}"
            if part in snapshot.parts:
                return {part: _edited(require_flag(snapshot, name, asked.place), wanted)}
            made = changes.new_flag(wanted.variants, default=wanted.default, created=datetime.now(UTC).date())
            return {part: _edited(made, wanted)}

        return decide

    return change(asked, deciding, action="set", subject=name)


def _read(
    variants: str | None,
    default: str | None,
    targeting: str | None,
    off: str | None,
    owner: str | None,
    expires: str | None,
    prerequisites: tuple[str, ...],
    *,
    no_targeting: bool,
    experiment: bool | None,
) -> Wanted:
    if targeting is not None and no_targeting:
        raise InputError(
            "which rules?",
            expected="either --targeting or --no-targeting",
            found="both",
            next_step="take one of them away",
        )
    additions: dict[str, date | dict[str, str] | str | bool | None] = {}
    for key, text in ((OFF, off), (OWNER, owner)):
        if text is not None:
            additions[key] = None if text == CLEAR else text
    if expires is not None:
        additions[EXPIRES] = read_day("--expires", expires)
    if prerequisites:
        additions[PREREQUISITES] = read_prerequisites(prerequisites) or None
    if experiment is not None:
        additions[EXPERIMENT] = experiment or None
    rules = None if targeting is None else read_json(targeting)
    return Wanted(
        None if variants is None else read_variants(variants),
        default,
        rules,
        no_targeting or targeting is not None,
        additions,
    )


def _edited(flag: _Flag, wanted: Wanted) -> _Flag:
    if wanted.variants is not None:
        flag = {**flag, "variants": wanted.variants}
    if wanted.default is not None:
        flag = changes.set_default(flag, wanted.default)
    for name, value in wanted.additions.items():
        flag = changes.set_addition(flag, name, value)
    return edit_inside(flag, _with_rules(wanted)) if wanted.touches_targeting else flag


def _with_rules(wanted: Wanted) -> Callable[[_Flag], _Flag]:
    def edit(inner: _Flag) -> _Flag:
        plain = {key: value for key, value in inner.items() if key != "targeting"}
        return plain if wanted.targeting in (None, {}) else {**plain, "targeting": wanted.targeting}

    return edit
