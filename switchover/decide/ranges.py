"""Ranges of versions exactly as npm reads them. Everything here is text in, text or bool out."""

from __future__ import annotations

import re
from functools import lru_cache

import nodesemver

PREFIX = re.compile(r"\^|~|>=|<=|>")
WORKSPACE = "workspace:"


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
