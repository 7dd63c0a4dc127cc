"""Moving tags of a destination: which version `latest`, `1` and `1.4` stand for, from all versions there are.

A pointer is worked out from the whole set, never from the release at hand: so a backport cannot steal `latest`,
a withdrawn version loses every pointer, and repeating changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from semver import Version

from switchover.decide.components import ComponentKind
from switchover.decide.ranges import is_range
from switchover.decide.version_text import parse_version

LATEST = "latest"
_NAME = re.compile(r"[a-zA-Z][0-9a-zA-Z-]*")
_SNAPSHOTS = Version(0)
PENDING = "switchover-pending"
"""What npm calls a version between its publishing and the moving of the tags: it wants some tag at once."""


@dataclass(frozen=True, slots=True)
class Move:
    """One moving tag and the version that it is to stand for; empty: it is to go."""

    pointer: str
    version: str


def plan_image_pointers(versions: Iterable[str], withdrawn: Iterable[str] = (), *, channel: str = "") -> dict[str, str]:
    """`latest`, `1` and `1.4` to the newest stable version of each, and `channel` to its newest prerelease."""
    stable, prereleases = _sort(versions, withdrawn, channel)
    wanted = {channel: prereleases[-1]} if prereleases else {}
    for version in stable:
        wanted[str(version.major)] = version
        wanted[f"{version.major}.{version.minor}"] = version
        wanted[LATEST] = version
    return _texts(wanted)


def plan_npm_pointers(versions: Iterable[str], withdrawn: Iterable[str] = (), *, channel: str = "") -> dict[str, str]:
    """`latest` to the newest stable version, `latest-1` to that of an older major, `channel` to its newest prerelease.

    A tag of npm must not look like a range, so `1` and `1.4` are none, nor is a channel `x`. The package's very first
    release, a prerelease say, is `latest` by npm's own rule.
    """
    stable, prereleases = _sort(versions, withdrawn, channel)
    newest = stable[-1] if stable else None
    wanted = {f"{LATEST}-{version.major}": version for version in stable if newest and version.major < newest.major}
    if prereleases and not is_range(channel):
        wanted[channel] = prereleases[-1]
    return _texts({**wanted, **({LATEST: newest} if newest else {})})


def choose_pointers(
    kind: ComponentKind, version: str, versions: Iterable[str], withdrawn: Iterable[str] = ()
) -> dict[str, str]:
    """The moving tags that concern `version` at the kind's destination, with what each is to stand for.

    Of prereleases only those of the version's own identifier: `beta` for 2.0.0-beta.1. Snapshots (0.0.0-…) have none.
    """
    plan = plan_npm_pointers if kind is ComponentKind.NPM else plan_image_pointers
    return plan(versions, withdrawn, channel=_channel_of(version))


def choose_npm_tag(version: str, versions: Iterable[str]) -> str:
    """The tag that a version gets at once where tags cannot be moved later, as with npm's trusted publishing."""
    pointers = plan_npm_pointers((*versions, version), channel=_channel_of(version))
    named = sorted(pointer for pointer, target in pointers.items() if target == version)
    if LATEST in named:
        return LATEST
    # An older line's newest, or a patch of a line that nothing points at: any name that is no range.
    older = "prerelease" if "-" in version else f"{LATEST}-{version.rpartition('.')[0]}"
    return named[0] if named else older


def plan_moves(
    kind: ComponentKind,
    version: str,
    wanted: Mapping[str, str],
    present: Mapping[str, str],
    withdrawn: Iterable[str] = (),
) -> tuple[Move, ...]:
    """What has to move for `version`: pointers to it, those that are not there yet, those left on a withdrawn one.

    Others stay where people have put them. The plainest, `latest`, comes last; npm has no package without one, so
    there it stays where it has nowhere to go.
    """
    gone = set(withdrawn)
    moves = [
        Move(pointer, target)
        for pointer, target in wanted.items()
        if present.get(pointer) != target and (target == version or pointer not in present or present[pointer] in gone)
    ]
    moves += [
        Move(pointer, "")
        for pointer, target in present.items()
        if (target in gone or pointer == PENDING)
        and pointer not in wanted
        and (kind is not ComponentKind.NPM or pointer != LATEST)
    ]
    return tuple(sorted(moves, key=lambda move: (move.pointer == LATEST, move.pointer)))


def _sort(versions: Iterable[str], withdrawn: Iterable[str], channel: str) -> tuple[list[Version], list[Version]]:
    """The stable versions and the prereleases of the channel, both oldest first."""
    gone = set(withdrawn)
    parsed = sorted({version for text in versions if text not in gone and (version := parse_version(text))})
    return (
        [version for version in parsed if not version.prerelease],
        [version for version in parsed if channel and _channel_of(str(version)) == channel],
    )


def _channel_of(text: str) -> str:
    """The identifier of a prerelease, empty for a stable version, a snapshot, and one that is no name."""
    version = parse_version(text)
    if version is None or not version.prerelease or version.replace(prerelease=None) == _SNAPSHOTS:
        return ""
    name = version.prerelease.partition(".")[0]
    return name if _NAME.fullmatch(name) and name != LATEST else ""


def _texts(wanted: Mapping[str, Version]) -> dict[str, str]:
    return {pointer: str(version) for pointer, version in wanted.items()}
