"""Names of ours as the API server allows them: any text gets one, and no two texts the same."""

from __future__ import annotations

import hashlib
import re

_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_HASH_DIGITS = 10
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")


def object_name(*parts: str) -> str:
    """The parts, joined with `-`, as the name of an object; what a name cannot hold is replaced, and hashed."""
    return _fit("-".join(parts), _NAME, r"[^-a-z0-9]+", _LONGEST_NAME)


def label_value(text: str) -> str:
    """The text as the value of a label; what a label cannot hold is replaced, and hashed."""
    return _fit(text, _LABEL, r"[^-_.A-Za-z0-9]+", _LONGEST_LABEL)


def _fit(text: str, allowed: re.Pattern[str], forbidden: str, longest: int) -> str:
    if len(text) <= longest and allowed.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
    lowered = text.lower() if allowed is _NAME else text
    readable = re.sub(forbidden, "-", lowered)[: longest - _HASH_DIGITS - 1].strip("-_.")
    return f"{readable}-{digest}" if readable else digest
