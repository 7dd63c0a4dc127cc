"""Switching the pre-release mode of changesets on and off."""

from __future__ import annotations

import json
from dataclasses import replace

from switchover.decide.packages import Package
from switchover.decide.prerelease import FILE as PRE_FILE
from switchover.decide.prerelease import Mode, PreState, pre_state_to_json
from switchover.errors import InputError


def enter_pre(existing: PreState | None, tag: str, packages: tuple[Package, ...]) -> PreState:
    """The state after `pre enter TAG`. Raises `InputError` when the mode is on."""
    if existing is not None and existing.mode is Mode.PRE:
        raise InputError(
            "the pre-release mode cannot be entered",
            expected=f"no {PRE_FILE}, or one with the mode 'exit'",
            found=f"the mode 'pre' with the tag {existing.tag!r}",
            next_step="leave it first: switchover pre exit",
        )
    versions = tuple((package.name, package.version) for package in packages if package.version)
    return PreState(Mode.PRE, tag, versions, existing.changesets if existing else ())


def leave_pre(existing: PreState | None) -> PreState:
    """The state after `pre exit`. Raises `InputError` when there is none."""
    if existing is None:
        raise InputError(
            "the pre-release mode cannot be left",
            expected=f"the file {PRE_FILE}",
            found="none",
            next_step="nothing is to be done: the next versions are stable ones already",
        )
    return replace(existing, mode=Mode.EXIT)


def write_pre_state(state: PreState, compat: int) -> str:
    """The text of the file, as the major of changesets writes it."""
    return json.dumps(pre_state_to_json(state, compat), indent=2, ensure_ascii=False) + "\n"
