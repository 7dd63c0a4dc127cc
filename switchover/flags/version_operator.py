"""flagd's `sem_ver`, in a file of its own: few rules need the library, and it takes long to import."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Final

import semver

_CACHED_CHARACTERS: Final = 64


def _parse(text: str) -> semver.Version | None:
    """Read a version; a `v` in front and missing minor and patch numbers are allowed."""
    if text.startswith(("v", "V")):
        text = text[1:]
    numbers = text.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0]
    text = numbers + ".0" * (2 - numbers.count(".")) + text[len(numbers) :]
    try:
        return semver.Version.parse(text)
    except ValueError:
        return None


_parse_cached = functools.lru_cache(maxsize=1024)(_parse)


def _read_version(value: object) -> semver.Version | None:
    """A version of a context is mostly one of a few: they are remembered, unless they are too long to be one."""
    try:
        text = str(value)
    except ValueError:
        return None  # a number of more digits than Python writes
    return _parse_cached(text) if len(text) <= _CACHED_CHARACTERS else _parse(text)


_VERSION_OPERATORS: Final[dict[str, Callable[[semver.Version, semver.Version], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "^": lambda a, b: a.major == b.major,
    "~": lambda a, b: a.major == b.major and a.minor == b.minor,
}


def compare_versions(*args: object) -> bool | None:
    """Whether a version, an operator and a version hold; None where one of them is none."""
    if len(args) != 3:  # noqa: PLR2004 - a version, an operator, a version
        return None
    one, other = _read_version(args[0]), _read_version(args[2])
    compare = _VERSION_OPERATORS.get(args[1]) if isinstance(args[1], str) else None
    return None if one is None or other is None or compare is None else compare(one, other)
