"""Versions as npm reads them. Apart from ranges, whose library takes long to import."""

from __future__ import annotations

from functools import lru_cache

import semver

from switchover.decide.bumps import Bump

# Above this npm refuses a number, because JavaScript can no longer count it.
LARGEST_NUMBER = 2**53 - 1
# Longer texts npm refuses unread.
LONGEST = 256


@lru_cache(maxsize=8192)
def parse_version(text: str) -> semver.Version | None:
    """The version as a comparable value, or None when npm would refuse it."""
    if len(text) > LONGEST:
        return None
    try:
        version = semver.Version.parse(text)
    except ValueError:
        return None
    return version if max(version.major, version.minor, version.patch) <= LARGEST_NUMBER else None


@lru_cache(maxsize=8192)
def next_version(version: str, bump: Bump) -> str:
    """Npm's increment of a valid version; a prerelease is finished first. The result may be beyond npm's limits."""
    if bump is Bump.NONE:
        return version
    return str(semver.Version.parse(version).next_version(bump.value))
