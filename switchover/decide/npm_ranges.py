"""The grammar of npm's ranges (node-semver 7, strict): a text becomes bounds, or is no range at all.

A range is a list of alternatives (`||`), each a list of bounds that all have to hold. `^`, `~`, `x` and hyphens are
shorthands for two bounds. A prerelease only lies within an alternative that names a prerelease of the very same
major.minor.patch.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import semver

from switchover.decide.version_text import LARGEST_NUMBER, parse_version

_NUMBER = r"0|[1-9][0-9]*"
_PART = rf"{_NUMBER}|[xX*]"
_NAME = rf"(?:[0-9]*[a-zA-Z-][a-zA-Z0-9-]*|{_NUMBER})"
_PRERELEASE = rf"-(?:{_NAME}(?:\.{_NAME})*)"
_PLAIN = rf"[v=\s]*(?P<major>{_PART})(?:\.(?P<minor>{_PART})(?:\.(?P<patch>{_PART})(?P<pre>{_PRERELEASE})?)?)?"
_BUILD = re.compile(r"\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*")
# What may follow an operator after a blank: also versions that only lenient readers take.
_LENIENT_NAME = r"(?:[0-9]*[a-zA-Z-][a-zA-Z0-9-]*|[0-9]+)"
_LENIENT = rf"[v=\s]*[0-9]+\.[0-9]+\.[0-9]+(?:-?{_LENIENT_NAME}(?:\.{_LENIENT_NAME})*)?"
_ANONYMOUS = re.sub(r"\?P<\w+>", "?:", _PLAIN)
_BLANK_AFTER_OPERATOR = re.compile(rf"(\s*)((?:<|>)?=?)\s*({_LENIENT}|{_ANONYMOUS})")
_BLANK_AFTER_TILDE = re.compile(r"(\s*)~>?\s+")
_BLANK_AFTER_CARET = re.compile(r"(\s*)\^\s+")
_HYPHEN = re.compile(rf"\s*(?P<low>{_ANONYMOUS})\s+-\s+(?P<high>{_ANONYMOUS})\s*")
_WHOLE = re.compile(_PLAIN)
_SHORTHAND = re.compile(rf"(?P<sign>\^|~>?){_PLAIN}")
_COMPARED = re.compile(rf"(?P<sign>(?:<|>)?=?)\s*{_PLAIN}")
_EXACT = re.compile(rf"(?P<sign>(?:<|>)?=?)\s*v?(?P<version>(?:{_NUMBER})(?:\.(?:{_NUMBER})){{2}}(?:{_PRERELEASE})?)")
_STAR = re.compile(r"(?:<|>)?=?\s*\*")

_HOLDS: dict[str, Callable[[semver.Version, semver.Version], bool]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison with a version."""

    sign: str
    version: semver.Version

    def __str__(self) -> str:
        """Write it as npm does."""
        return f"{self.sign}{self.version}"


Alternative = tuple[Bound, ...]
_Parts = tuple[int, int, int]
NOTHING: Alternative = (Bound("<", semver.Version(0, 0, 0, "0")),)


def parse_npm_range(text: str) -> tuple[Alternative, ...] | None:
    """The alternatives of a range, one without bounds holds every release; None where npm reads no range."""
    try:
        return tuple(_read_alternative(part) for part in " ".join(text.split()).split("||"))
    except ValueError:
        return None


def holds(alternatives: tuple[Alternative, ...], version: semver.Version) -> bool:
    """Whether a version lies within a range."""
    return any(_holds(bounds, version) for bounds in alternatives)


def _holds(bounds: Alternative, version: semver.Version) -> bool:
    if not all(_HOLDS[bound.sign](version, bound.version) for bound in bounds):
        return False
    if version.prerelease is None:
        return True
    return any(
        bound.version.prerelease is not None and bound.version.to_tuple()[:3] == version.to_tuple()[:3]
        for bound in bounds
    )


def _read_alternative(text: str) -> Alternative:
    plain = _BUILD.sub("", text.strip())
    span = _HYPHEN.fullmatch(plain)
    if span is not None:
        return _read_span(span["low"], span["high"])
    plain = _BLANK_AFTER_OPERATOR.sub(r"\1\2\3", plain)
    plain = _BLANK_AFTER_TILDE.sub(r"\1~", plain)
    plain = _BLANK_AFTER_CARET.sub(r"\1^", plain)
    read = [_read_token(token) for token in plain.split(" ")]
    return NOTHING if NOTHING in read else tuple(bound for bounds in read for bound in bounds)


def _read_token(token: str) -> Alternative:
    """One word of a range. Raises `ValueError` for what is none."""
    shorthand = _SHORTHAND.fullmatch(token)
    if shorthand is not None:
        return _between(*_spread(shorthand, caret=shorthand["sign"] == "^"))
    compared = _COMPARED.fullmatch(token)
    if compared is not None and _is_partial(compared):
        return _read_partial(compared)
    # A star left over counts for nothing wherever it stands.
    return _read_exact(_STAR.sub("", token, count=1))


def _read_exact(token: str) -> Alternative:
    if not token.strip():
        return ()
    exact = _EXACT.fullmatch(token)
    if exact is None:
        raise ValueError(token)
    sign, version = exact["sign"], _version(exact["version"])
    if (sign, exact["version"]) == (">=", "0.0.0"):
        return ()
    return (Bound("" if sign == "=" else sign, version),)


def _read_span(low: str, high: str) -> Alternative:
    """`1.2 - 2.3.4`: both ends belong to it, and an end that is not complete means all of it."""
    first, last = _WHOLE.fullmatch(low), _WHOLE.fullmatch(high)
    if first is None or last is None:
        unreachable = f"both ends of a span match: {low!r} - {high!r}"
        raise AssertionError(unreachable)
    bounds: list[Bound] = []
    if not _is_x(first["major"]):
        bounds += _read_exact(f">={_lowest(first)}") if _is_partial(first) else _read_exact(f">={low}")
    if _is_x(last["major"]):
        return tuple(bounds)
    if _is_partial(last):
        return (*bounds, _below(_after(last)))
    return (*bounds, *(_read_exact(f"<={_lowest(last)}{last['pre']}" if last["pre"] else f"<={high}")))


def _read_partial(match: re.Match[str]) -> Alternative:
    """`1.x`, `>=1.2`, `<*`: a version that is not complete."""
    sign, major, minor, patch = match["sign"], match["major"], match["minor"], match["patch"]
    if (_is_x(major) and not _is_x(minor)) or (_is_x(minor) and patch and not _is_x(patch)):
        raise ValueError(match[0])
    if _is_x(major):
        return NOTHING if sign in {">", "<"} else ()
    lowest = _lowest(match)
    if sign in {">", "<="}:
        after = _after(match)
        return _at_least(after) if sign == ">" else (_below(after),)
    if sign == "<":
        return (_below(_parts(lowest)),)
    return _at_least(_parts(lowest)) if sign == ">=" else _between(lowest, _after(match))


def _spread(match: re.Match[str], *, caret: bool) -> tuple[str, _Parts | None]:
    """The lowest version of `^…` or `~…`, and the first one after it; None: it never ends."""
    major, minor, patch = match["major"], match["minor"], match["patch"]
    if _is_x(major):
        return "0.0.0", None
    lowest = f"{_lowest(match)}{match['pre'] or ''}" if not (_is_x(minor) or _is_x(patch)) else _lowest(match)
    first = int(major)
    if _is_x(minor):
        return lowest, (first + 1, 0, 0)
    second = int(minor)
    if not caret or (first == 0 and (_is_x(patch) or second > 0)):
        return lowest, (first, second + 1, 0)
    return lowest, (first + 1, 0, 0) if first else (0, 0, int(patch) + 1)


def _between(lowest: str, end: _Parts | None) -> Alternative:
    low = _read_exact(f">={lowest}")
    return low if end is None else (*low, _below(end))


def _at_least(parts: _Parts) -> Alternative:
    return _read_exact(">={}.{}.{}".format(*parts))


def _below(parts: _Parts) -> Bound:
    """Not even a prerelease of the version belongs to what lies below it."""
    return Bound("<", _version("{}.{}.{}-0".format(*parts)))


def _after(match: re.Match[str]) -> _Parts:
    """The first version after everything that a partial version stands for."""
    major, minor = int(match["major"]), match["minor"]
    return (major + 1, 0, 0) if _is_x(minor) else (major, int(minor) + 1, 0)


def _lowest(match: re.Match[str]) -> str:
    """The version with zeros for what is not stated; what follows an x is not stated either."""
    parts = [match["major"], match["minor"], match["patch"]]
    stated = next((at for at, part in enumerate(parts) if _is_x(part)), 3)
    return ".".join([*(str(part) for part in parts[:stated]), *["0"] * (3 - stated)])


def _parts(version: str) -> _Parts:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def _is_partial(match: re.Match[str]) -> bool:
    return any(_is_x(match[part]) for part in ("major", "minor", "patch"))


def _is_x(part: str | None) -> bool:
    return not part or part in {"x", "X", "*"}


def _version(text: str) -> semver.Version:
    version = parse_version(text)
    if version is None:
        message = f"npm takes no version above {LARGEST_NUMBER}: {text}"
        raise ValueError(message)
    return version
