"""Ranges of versions exactly as npm reads them. Everything here is text in, text or bool out."""

from __future__ import annotations

from functools import lru_cache

from switchover.decide.npm_ranges import Alternative, holds, parse_npm_range
from switchover.decide.version_text import parse_version

WORKSPACE = "workspace:"


@lru_cache(maxsize=8192)
def _parse_range(text: str) -> tuple[Alternative, ...] | None:
    return parse_npm_range(text)


def is_range(text: str) -> bool:
    """Whether npm reads `text` as a range of versions; a tag or another protocol is not one."""
    return _parse_range(text) is not None


@lru_cache(maxsize=65536)
def satisfies(version: str, range_text: str) -> bool:
    """Whether `version` is within the range; False for what is not a version or not a range."""
    parsed, candidate = _parse_range(range_text), parse_version(version)
    return parsed is not None and candidate is not None and holds(parsed, candidate)
