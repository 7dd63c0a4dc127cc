"""Edits of one flag: from its JSON to its JSON, which is never changed in place.

An edit that changes nothing gives an equal flag, so repeating one is safe. A flag that is killed can be edited like
any other: what is edited is what it will be when it is revived.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from switchover.flags.additions import (
    CREATED,
    EXPIRES,
    KILL,
    KILLED_STATE,
    NAMES,
    OFF,
    OWNER,
    PREFIX,
    is_killed,
    off_variant,
)
from switchover.flags.change_kill import Flag, edit_inside, kill, revive
from switchover.flags.change_percentage import find_percentage, with_percentage
from switchover.flags.change_refusals import on_variant, refused, require_variant, variants_of
from switchover.flags.change_users import with_users, without_users
from switchover.flags.definition_additions import check_addition
from switchover.flags.definition_mistakes import one_of, show, show_near
from switchover.flags.rules import weight_of
from switchover.flags.snapshot import Json

__all__ = [
    "Flag",
    "disable",
    "enable",
    "is_killed",
    "kill",
    "new_flag",
    "read_percentage",
    "revive",
    "set_addition",
    "set_default",
    "set_percentage",
    "target_users",
    "untarget_users",
]

ON_AND_OFF: Final[Mapping[str, Json]] = {"on": True, "off": False}
SETTABLE: Final = tuple(name for name in NAMES if name not in {KILL, KILLED_STATE})


def new_flag(
    variants: Mapping[str, Json] | None = None,
    *,
    default: str | None = None,
    owner: str | None = None,
    created: date | None = None,
    expires: date | None = None,
) -> Flag:
    """An enabled flag without a rule: on or off unless other variants are given, and off for everybody.

    With other variants `default` is what everybody gets; without it that is the caller's own default.
    """
    if default is None and variants is None:
        default = "off"
    flag: Flag = {"state": "ENABLED", "variants": dict(ON_AND_OFF if variants is None else variants)}
    if default is not None:
        require_variant(flag, default)
        flag["defaultVariant"] = default
    for name, value in ((OWNER, owner), (CREATED, created), (EXPIRES, expires)):
        if value is not None:
            flag = set_addition(flag, name, value)
    return flag


def enable(flag: Flag) -> Flag:
    """Let the flag decide; a killed one does when it is revived."""
    return edit_inside(flag, lambda inner: {**inner, "state": "ENABLED"})


def disable(flag: Flag) -> Flag:
    """Give every caller its own default; a killed flag does when it is revived."""
    return edit_inside(flag, lambda inner: {**inner, "state": "DISABLED"})


def set_default(flag: Flag, variant: str) -> Flag:
    """Change what is served where no rule speaks."""
    require_variant(flag, variant)
    return edit_inside(flag, lambda inner: {**inner, "defaultVariant": variant})


def set_percentage(flag: Flag, percent: float, variant: str | None = None) -> Flag:
    """Give the variant (where none is named: the only one that is true) to this percentage, from 0 to 100.

    The rest of a rule stays as it is. Raising it takes the variant from nobody. A rule without a percentage gets one
    for those whom none of its branches speaks of. Raises `InputError` for a rule that was written by hand and ends in
    no split of the variant and one other.
    """
    weight = weight_of(percent)
    on = on_variant(flag, variant)
    rest = _rest(flag, on)

    def edit(inner: Flag) -> Flag:
        return _with_targeting(inner, with_percentage(inner.get("targeting"), on, rest, weight))

    return edit_inside(flag, edit)


def read_percentage(flag: Flag, variant: str | None = None) -> float | None:
    """The percentage that `set_percentage` would change; None where the flag has none."""
    place = find_percentage(revive(flag).get("targeting"), on_variant(flag, variant))
    return None if place is None else place.percent


def target_users(flag: Flag, users: Iterable[str], variant: str) -> Flag:
    """Give these users the variant before any other rule is asked, and no longer another one."""
    require_variant(flag, variant)
    named = _users(users)
    return edit_inside(flag, lambda inner: _with_targeting(inner, with_users(inner.get("targeting"), named, variant)))


def untarget_users(flag: Flag, users: Iterable[str]) -> Flag:
    """Treat these users like everybody else."""
    named = _users(users)

    def edit(inner: Flag) -> Flag:
        return _with_targeting(inner, without_users(inner["targeting"], named)) if inner.get("targeting") else inner

    return edit_inside(flag, edit)


def set_addition(flag: Flag, name: str, value: date | Mapping[str, str] | str | bool | None) -> Flag:  # noqa: FBT001
    """Set one of the project's own metadata, with or without `switchover.` before its name; None takes it away."""
    full = name if name.startswith(PREFIX) else PREFIX + name
    if full not in SETTABLE:
        known = [settable.removeprefix(PREFIX) for settable in SETTABLE]
        near = show_near(full.removeprefix(PREFIX), known)
        raise refused(
            "the addition cannot be set", one_of(known), near, "name one of them; kill and revive do the rest"
        )
    metadata = flag.get("metadata")
    kept = {key: each for key, each in metadata.items() if key != full} if isinstance(metadata, dict) else {}
    if value is not None:
        written = _written(value)
        for mistake in check_addition(full, full, written):
            raise refused(f"{full} cannot be set", mistake.expected, mistake.found, "correct it and call again")
        if full == OFF:
            require_variant(flag, str(written))
        kept = {**metadata, full: written} if isinstance(metadata, dict) else {full: written}
    return {**flag, "metadata": kept} if kept else {key: each for key, each in flag.items() if key != "metadata"}


def _written(value: object) -> Json:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(dict(value), sort_keys=True)
    return value if isinstance(value, bool | str) else show(value)


def _rest(flag: Flag, on: str) -> str | None:
    """What those get who are not in a new percentage of `on`: the default, else what stands for off, else the other."""
    default = flag.get("defaultVariant")
    others = [name for name in variants_of(flag) if name != on]
    candidates = (default, off_variant(flag), others[0] if len(others) == 1 else None)
    return next((each for each in candidates if isinstance(each, str) and each != on), None)


def _with_targeting(flag: Flag, targeting: Json) -> Flag:
    if targeting is None:
        return {key: value for key, value in flag.items() if key != "targeting"}
    return {**flag, "targeting": targeting}


def _users(users: Iterable[str]) -> list[str]:
    named = [users] if isinstance(users, str) else list(users)
    for user in named:
        if not isinstance(user, str) or not user:
            raise refused(
                "the users cannot be used", "targeting keys that are not empty", show(user), "name them again"
            )
    if not named:
        raise refused("there are no users", "at least one targeting key", "none", "name them")
    return named
