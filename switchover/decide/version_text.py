"""Versions as npm reads them. Apart from ranges, whose library takes long to import."""

from __future__ import annotations

from functools import lru_cache

import semver

from switchover.decide.bumps import Bump

# Above this npm refuses a number, because JavaScript can no longer count it.
LARGEST_NUMBER = 2**53 - 1


@lru_cache(maxsize=8192)
def parse_version(text: str) -> semver.Version | None:
    """The version as a comparable value, or None when npm would refuse it."""
    try:
        version = semver.Version.parse(text)
    except ValueError:
        return None
    return version if max(version.major, version.minor, version.patch) <= LARGEST_NUMBER else None


def next_version(version: str, bump: Bump) -> str:
    """Npm's increment; a prerelease is finished first. `version` must be valid."""
    if bump is Bump.NONE:
        return version
    return str(semver.Version.parse(version).next_version(bump.value))
