"""How the range of a dependent moves when what it depends on is released, by the rules of changesets.

A range moves when the new version leaves it, and otherwise as the settings say. It keeps its protocol and its
operator. What moves by itself (`*`, `workspace:^`) or is no range (a tag, `file:`) stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchover.decide.bumps import Bump
from switchover.decide.npm_ranges import NOTHING, parse_npm_range
from switchover.decide.packages import Section, normalise_path
from switchover.decide.ranges import WORKSPACE, is_range, satisfies
from switchover.decide.version_text import next_version, parse_version
from switchover.decide.versions import PlannedRelease

LOCAL = ("file:", "link:")
MOVING = frozenset({"*", "^", "~"})
OPERATOR = re.compile(r"\^|~|>=|<=|>")
# The major of changesets that knows `>=a <b`, and lets a package that is not released move no range.
FIRST_WITH_BOUNDS = 3


@dataclass(frozen=True, slots=True)
class RangeRules:
    """When ranges move, as `.changeset/config.json` says it, and the major of changesets whose rules count.

    `minimum`: the smallest change that moves a range which still holds the new version. `peers_when_left`: peer ranges
    move only when they are left. `exact`: a moved range is the new version and nothing else, as snapshots need it.
    """

    compat: int = 3
    minimum: Bump = Bump.PATCH
    peers_when_left: bool = False
    workspace_protocol_only: bool = False
    exact: bool = False


def asks_to_move(text: str, section: Section, release: PlannedRelease, folder: str, rules: RangeRules) -> bool:
    """Whether a range on the package of `release`, which lies in `folder`, should follow it."""
    if not release.new_version:
        return False
    plain = text.removeprefix(WORKSPACE)
    if plain != text:
        if plain == "*":
            return True
        if plain in MOVING:
            plain = f"{plain}{release.old_version}"
        elif not is_range(plain):
            return normalise_path(plain) == folder
    if not satisfies(release.new_version, plain):
        return True
    if section is Section.PEER:
        return not rules.peers_when_left
    return release.type.rank >= rules.minimum.rank


def move_range(text: str, section: Section, release: PlannedRelease, folder: str, rules: RangeRules) -> str:
    """The range as it should be once the package of `release`, which lies in `folder`, has its new version."""
    plain = text.removeprefix(WORKSPACE)
    protocol = WORKSPACE if plain != text else ""
    if not _can_move(text, plain, release, rules) or not asks_to_move(text, section, release, folder, rules):
        return text
    comparators = _list_comparators(plain)
    if comparators == () and not _is_prerelease(release.new_version):
        return text
    if rules.exact:
        return f"{protocol}{release.new_version}"
    return (
        f"{protocol}{_raise_bounds(plain, comparators, release, rules) or _keep_operator(plain, release.new_version)}"
    )


def _can_move(text: str, plain: str, release: PlannedRelease, rules: RangeRules) -> bool:
    if not text or text.startswith(LOCAL) or (release.type is Bump.NONE and rules.compat >= FIRST_WITH_BOUNDS):
        return False
    if plain == text:
        return not rules.workspace_protocol_only and is_range(plain)
    return plain not in MOVING and is_range(plain)


def _keep_operator(text: str, version: str) -> str:
    operator = OPERATOR.match(text)
    return f"{operator[0] if operator else ''}{version}"


def _raise_bounds(text: str, comparators: tuple[str, ...] | None, release: PlannedRelease, rules: RangeRules) -> str:
    """The range `>=a <b` from the new version on, its upper bound only raised when it is left; empty for another."""
    if rules.compat < FIRST_WITH_BOUNDS or comparators is None or len(comparators) != 2 or not {"<", ">"} <= set(text):  # noqa: PLR2004
        return ""
    lower = next((each for each in comparators if each.startswith(">")), None)
    upper = next((each for each in comparators if each.startswith("<")), None)
    if lower is None or upper is None:
        return ""
    if not satisfies(release.new_version, upper):
        upper = f"<{next_version(release.new_version, release.type)}"
    bounds = (f">={release.new_version}", upper)
    return " ".join(bounds if comparators[0] == lower else reversed(bounds))


def _list_comparators(text: str) -> tuple[str, ...] | None:
    """The bounds that npm reads `text` as; none for a range that holds everything, None for alternatives."""
    read = parse_npm_range(text) or ()
    found = [tuple(dict.fromkeys(str(bound) for bound in each)) for each in read if each != NOTHING]
    if () in found:
        return ()
    return found[0] if len(found) == 1 else None


def _is_prerelease(version: str) -> bool:
    parsed = parse_version(version)
    return parsed is not None and parsed.prerelease is not None
