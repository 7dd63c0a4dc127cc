"""Prereleases of a branch: `1.3.0-beta.0`, `1.3.0-beta.1` and so on, until a stable branch releases `1.3.0`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from switchover.decide.bumps import Bump
from switchover.decide.propagation import Increment
from switchover.decide.version_text import next_version, parse_version
from switchover.errors import InputError


def increment_on_channel(
    channel: str, taken: Mapping[str, Collection[str]], groups: tuple[tuple[str, ...], ...]
) -> Increment:
    """How versions grow on a channel: to the next free number. `taken` are the versions that each package had.

    The packages of a group count together. What it returns raises `InputError` for a version that would not be higher.
    """
    together = {name: group for group in groups for name in group}

    def increment(name: str, old: str, bump: Bump) -> str:
        if bump is Bump.NONE:
            return old
        start = f"{next_version(old, bump)}-{channel}."
        versions = [version for each in together.get(name, (name,)) for version in taken.get(each, ())]
        rests = [version.removeprefix(start) for version in versions if version.startswith(start)]
        new = f"{start}{max((int(rest) + 1 for rest in rests if rest.isdecimal()), default=0)}"
        parsed, before = parse_version(new), parse_version(old)
        if parsed is not None and before is not None and parsed <= before:
            raise InputError(
                f"{name} cannot go from {old} to the channel {channel!r}",
                expected=f"a channel that sorts after {before.prerelease!r}",
                found=f"{new}, which is lower",
                next_step="release the stable version first, or name the channel differently",
            )
        return new

    return increment
