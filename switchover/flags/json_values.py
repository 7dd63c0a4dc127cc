"""What is JSON that every reader takes, and how deep it may go."""

from __future__ import annotations

import math
from typing import Final

MAX_DEPTH: Final = 100
"""So many levels may a flag have; an application that copies or writes a deeper value could run out of stack."""


def is_json(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether it is JSON of at most so many levels: no NaN, no half surrogate pair, no Python objects."""
    if levels <= 0:
        return False
    if isinstance(value, str):
        return is_unicode(value)
    if isinstance(value, dict):
        return all(
            isinstance(name, str) and is_unicode(name) and is_json(member, levels - 1) for name, member in value.items()
        )
    if isinstance(value, list):
        return all(is_json(member, levels - 1) for member in value)
    return value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def is_unicode(text: str) -> bool:
    """Whether it can be written in UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
