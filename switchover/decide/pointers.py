"""Moving tags of a destination: which version `latest`, `1` and `1.4` stand for, from all versions there are.

A pointer is worked out from the whole set, never from the release at hand: so a backport cannot steal `latest`,
a withdrawn version loses every pointer, and repeating changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from semver import Version

from switchover.decide.components import ComponentKind
from switchover.decide.version_text import parse_version

LATEST = "latest"
PENDING = "switchover-pending"
"""What npm calls a version between its publishing and the moving of the tags: it wants some tag at once."""


@dataclass(frozen=True, slots=True)
class Move:
    """One moving tag and the version that it is to stand for; empty: it is to go."""

    pointer: str
    version: str


def plan_image_pointers(versions: Iterable[str], withdrawn: Iterable[str] = ()) -> dict[str, str]:
    """`latest`, `1` and `1.4` to the newest stable version of each, `beta` and the like to the newest of its kind."""
    stable, channels = _sort(versions, withdrawn)
    wanted = {LATEST: stable[-1]} if stable else {}
    for version in stable:
        wanted[str(version.major)] = version
        wanted[f"{version.major}.{version.minor}"] = version
    return _texts({**channels, **wanted})


def plan_npm_pointers(versions: Iterable[str], withdrawn: Iterable[str] = ()) -> dict[str, str]:
    """`latest` to the newest stable version, `latest-1` to that of an older major, `beta` to the newest beta.

    A tag of npm must not look like a range, so `1` and `1.4` are none. The package's very first release, a prerelease
    say, is `latest` by npm's own rule.
    """
    stable, channels = _sort(versions, withdrawn)
    newest = stable[-1] if stable else None
    wanted = {f"{LATEST}-{version.major}": version for version in stable if newest and version.major < newest.major}
    return _texts({**channels, **wanted, **({LATEST: newest} if newest else {})})


def choose_pointers(kind: ComponentKind, versions: Iterable[str], withdrawn: Iterable[str] = ()) -> dict[str, str]:
    """The moving tags that the kind's destination knows, with the version that each is to stand for."""
    plan = plan_npm_pointers if kind is ComponentKind.NPM else plan_image_pointers
    return plan(versions, withdrawn)


def choose_npm_tag(version: str, versions: Iterable[str]) -> str:
    """The tag that a version gets at once where tags cannot be moved later, as with npm's trusted publishing."""
    pointers = plan_npm_pointers((*versions, version))
    named = sorted(pointer for pointer, target in pointers.items() if target == version)
    if LATEST in named:
        return LATEST
    # An older line's newest, or a patch of a line that nothing points at: any name that is no range.
    return named[0] if named else f"{LATEST}-{version.rpartition('.')[0]}"


def plan_moves(
    kind: ComponentKind, wanted: Mapping[str, str], present: Mapping[str, str], withdrawn: Iterable[str] = ()
) -> tuple[Move, ...]:
    """What has to move: pointers that are elsewhere, and those left over or on a withdrawn version.

    Others are people's own. The plainest, `latest`, comes last; npm has no package without one, so there it stays
    where it has nowhere to go.
    """
    gone = set(withdrawn)
    moves = [Move(pointer, version) for pointer, version in wanted.items() if present.get(pointer) != version]
    moves += [
        Move(pointer, "")
        for pointer, version in present.items()
        if (version in gone or pointer == PENDING)
        and pointer not in wanted
        and (kind is not ComponentKind.NPM or pointer != LATEST)
    ]
    return tuple(sorted(moves, key=lambda move: (move.pointer == LATEST, move.pointer)))


def _sort(versions: Iterable[str], withdrawn: Iterable[str]) -> tuple[list[Version], dict[str, Version]]:
    """The stable versions, oldest first, and the newest prerelease of each identifier."""
    gone = set(withdrawn)
    parsed = sorted({version for text in versions if text not in gone and (version := parse_version(text))})
    channels: dict[str, Version] = {}
    for version in parsed:
        name = (version.prerelease or "").partition(".")[0]
        if name and not name.isdigit() and name != LATEST:
            channels[name] = version
    return [version for version in parsed if not version.prerelease], channels


def _texts(wanted: Mapping[str, Version]) -> dict[str, str]:
    return {pointer: str(version) for pointer, version in wanted.items()}
