"""Versions and ranges exactly as npm reads them. Everything here is text in, text or bool out."""

from __future__ import annotations

import re
from functools import lru_cache

import nodesemver
import semver

from switchover.decide.bumps import Bump

# Above this npm refuses a number, because JavaScript can no longer count it.
LARGEST_NUMBER = 2**53 - 1
PREFIX = re.compile(r"\^|~|>=|<=|>")
WORKSPACE = "workspace:"


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


@lru_cache(maxsize=8192)
def _parse_range(text: str) -> nodesemver.Range | None:
    try:
        return nodesemver.make_range(text, False)  # noqa: FBT003 - positional in that library
    except ValueError:
        return None


def is_range(text: str) -> bool:
    """Whether npm reads `text` as a range of versions; a tag or another protocol is not one."""
    return _parse_range(text) is not None


@lru_cache(maxsize=65536)
def satisfies(version: str, range_text: str) -> bool:
    """Whether `version` is within the range; False for what is not a range."""
    parsed = _parse_range(range_text)
    return parsed is not None and bool(parsed.test(version))


def rewrite_range(range_text: str, version: str) -> str:
    """The range moved to `version`, with its prefix and protocol kept.

    Everything that moves by itself (`*`, `workspace:^`) or is no range (a tag, `file:`) stays as it is.
    """
    protocol = WORKSPACE if range_text.startswith(WORKSPACE) else ""
    text = range_text.removeprefix(protocol).strip()
    if text in {"", "*", "x", "X", "^", "~"} or not is_range(text):
        return range_text
    prefix = PREFIX.match(text)
    return f"{protocol}{prefix[0] if prefix else ''}{version}"
