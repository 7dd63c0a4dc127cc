"""The prerelease mode of changesets: what `.changeset/pre.json` says, and the number that a prerelease gets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from switchover.decide.changesets import Changeset
from switchover.decide.packages import Package
from switchover.decide.version_text import LARGEST_NUMBER, parse_version
from switchover.errors import InputError

FILE = ".changeset/pre.json"
# Where changesets 3 keeps the changesets that are part of a prerelease already.
USED_FOLDER = "pre/"
SEPARATE_FOLDER_SINCE = 3
IDENTIFIER = re.compile(r"[0-9A-Za-z-]+")


class Mode(StrEnum):
    """Whether the next versions are prereleases, or the ones that end them."""

    PRE = "pre"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class PreState:
    """The prerelease mode. `initial_versions` and `changesets` (the used ones) are only kept by changesets 2."""

    mode: Mode
    tag: str
    initial_versions: tuple[tuple[str, str], ...] = ()
    changesets: tuple[str, ...] = ()


def parse_pre_state(text: str) -> PreState:
    """Read the text of `.changeset/pre.json`. Raises `InputError` that names the file."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _refuse("JSON", str(error)) from error
    if not isinstance(document, dict):
        raise _refuse("a JSON object", type(document).__name__)
    if document.get("mode") not in set(Mode):
        raise _refuse("'pre' or 'exit' under 'mode'", repr(document.get("mode")))
    tag, versions, used = document.get("tag"), document.get("initialVersions", {}), document.get("changesets", [])
    if not isinstance(tag, str) or IDENTIFIER.fullmatch(tag) is None:
        raise _refuse("letters, digits and hyphens under 'tag'", repr(tag))
    if not isinstance(versions, dict) or not all(isinstance(each, str) for each in versions.values()):
        raise _refuse("an object of versions under 'initialVersions'", repr(versions))
    if not isinstance(used, list) or not all(isinstance(each, str) for each in used):
        raise _refuse("a list of texts under 'changesets'", repr(used))
    return PreState(Mode(document["mode"]), tag, tuple(versions.items()), tuple(used))


def pre_state_to_json(state: PreState, compat: int) -> dict[str, Any]:
    """The state as `changeset status --output` writes it."""
    document: dict[str, Any] = {"mode": state.mode.value, "tag": state.tag}
    if compat < SEPARATE_FOLDER_SINCE:
        document |= {"initialVersions": dict(state.initial_versions), "changesets": list(state.changesets)}
    return document


def separate_used(
    state: PreState | None, changesets: tuple[Changeset, ...], compat: int
) -> tuple[PreState | None, tuple[Changeset, ...]]:
    """State and changesets as the major of changesets sees them.

    Changesets 3 takes over what changesets 2 left in `pre.json`: used changesets count as those of `.changeset/pre/`
    and come last. Raises `InputError` where changesets 2 would meet that folder.
    """
    stored = [each for each in changesets if each.id.startswith(USED_FOLDER)]
    if compat < SEPARATE_FOLDER_SINCE:
        if stored:
            raise InputError(
                f"{stored[0].path} cannot be planned by the rules of changesets 2",
                expected="no folder .changeset/pre, which only changesets 3 knows",
                found=f"{len(stored)} files in it",
                next_step="plan with changesets 3, or leave its prerelease mode first",
            )
        return state, changesets
    if state is None or not (state.changesets or state.initial_versions):
        return state, changesets
    used = [each for each in changesets if each.id in state.changesets]
    moved = [replace(each, id=f"{USED_FOLDER}{each.id}", file=each.path) for each in used]
    fresh = [each for each in changesets if each not in used and each not in stored]
    last = sorted([*stored, *moved], key=lambda each: each.id)
    return PreState(state.mode, state.tag), (*fresh, *last)


def choose_unused(state: PreState | None, changesets: tuple[Changeset, ...]) -> tuple[Changeset, ...]:
    """The changesets that count: in the mode `pre` those that no prerelease has used."""
    if state is None or state.mode is not Mode.PRE:
        return changesets
    return tuple(each for each in changesets if each.id not in state.changesets and not each.id.startswith(USED_FOLDER))


def note_used(state: PreState, changesets: tuple[Changeset, ...], packages: tuple[Package, ...]) -> PreState:
    """The state that changesets 2 writes after a plan: all changesets are used, every package has a first version.

    What the state knows already stays where it is, so that a file changes no more than it has to.
    """
    known = dict(state.initial_versions)
    new = {each.name: each.version for each in packages if each.version and each.name not in known}
    return replace(
        state, changesets=tuple(each.id for each in changesets), initial_versions=tuple((known | new).items())
    )


def count_prereleases(
    packages: tuple[Package, ...], skipped: frozenset[str], groups: tuple[tuple[str, ...], ...]
) -> Mapping[str, int]:
    """The number of the next prerelease of every package: one above that of its version, in a group the highest.

    Raises `InputError` for a version such as `1.0.0-beta.next` that cannot be counted on.
    """
    by_name = {package.name: package for package in packages}
    counts = {package.name: _next_number(package) for package in packages if package.name not in skipped}
    for group in groups:
        highest = max((_next_number(by_name[name]) for name in group), default=0)
        counts.update(dict.fromkeys(group, highest))
    return counts


def _next_number(package: Package) -> int:
    version = parse_version(package.version)
    identifiers = (version.prerelease or "").split(".") if version is not None else []
    if version is not None and len(identifiers) == 1:
        return 0
    number = identifiers[1] if identifiers else ""
    if not number.isdecimal() or int(number) >= LARGEST_NUMBER:
        raise InputError(
            f"{package.manifest} has a version that no prerelease can follow",
            expected="a version such as 1.4.0 or 1.4.0-beta.2",
            found=repr(package.version),
            next_step="correct the version in the manifest",
        )
    return int(number) + 1


def _refuse(expected: str, found: str) -> InputError:
    return InputError(
        f"{FILE} cannot be read", expected=expected, found=found, next_step="correct the file, or delete it"
    )
