"""Globs over package names and folders, as changesets and package managers read them.

`*` and `?` stay within one segment and leave out a leading dot, `**` spans segments (`a/**` is `a` too), `[abc]` is
one character and `[^abc]` any other, `{a,b}` are alternatives, and a leading `!` takes away what was matched before.
`@(a|b)` is one of the alternatives, with `?` at most one, with `+` and `*` several of them; `!(a|b)` at the end is
anything else, over segments where an alternative has some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

MAGIC = frozenset("*?[]{}(")
NOT_UNDERSTOOD = re.compile(r"[()\\]|\{[^{},]*\.\.[^{},]*\}")
_NAMED = r"(?!\.)[^/]+"
ALTERNATIVES = re.compile(r"(?P<kind>[@?+*])\((?P<inner>[^()/!]*)\)")
ANYTHING_ELSE = re.compile(r"(?P<head>.*)!\((?P<inner>[^()!]*)\)")
CLASS = re.compile(r"\[(?P<not>\^?)(?P<members>[^]/\[]+)\]")


def is_glob(pattern: str) -> bool:
    """Whether anything in the text stands for something else."""
    return not MAGIC.isdisjoint(pattern)


def is_understood(pattern: str) -> bool:
    """Whether the pattern stays within what this module reads: no `!(a)b`, no `{1..3}`, no backslash."""
    plain = ALTERNATIVES.sub("", pattern)
    ending = ANYTHING_ELSE.fullmatch(plain)
    return NOT_UNDERSTOOD.search(f"{ending['head']}{ending['inner']}" if ending else plain) is None


def is_negated(pattern: str) -> bool:
    """Whether the pattern takes away; `!(a)` stands for something itself."""
    return pattern.startswith("!") and not pattern.startswith("!(")


def expand_braces(pattern: str) -> tuple[str, ...]:
    """The patterns without `{a,b}` that a pattern stands for; braces that hold no comma stay as they are."""
    depth, start = 0, 0
    commas: list[int] = []
    for at, character in enumerate(pattern):
        if character == "{":
            depth += 1
            if depth == 1:
                start, commas = at, []
        elif character == "," and depth == 1:
            commas.append(at)
        elif character == "}" and depth:
            depth -= 1
            if depth == 0 and commas:
                ends = [start, *commas, at]
                parts = [pattern[left + 1 : right] for left, right in pairwise(ends)]
                return tuple(
                    whole for part in parts for whole in expand_braces(pattern[:start] + part + pattern[at + 1 :])
                )
    return (pattern,)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern without a leading `!` matches the whole text."""
    return any(each.fullmatch(text) for each in _compile_all(pattern))


def select(patterns: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The names that the patterns leave, as changesets 3 has it: in the order of `names`."""
    listed = tuple(names)
    chosen = _choose(patterns, listed)
    return tuple(name for name in listed if name in chosen)


def select_by_pattern(patterns: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The names that the patterns leave, as changesets 2 has it: in the order in which the patterns name them.

    Nothing but patterns with `!` takes away from all names. `!(a|b)` takes away, too.
    """
    listed = tuple(names)
    patterns = tuple(each for pattern in patterns for each in _take_apart(pattern))
    if patterns and all(is_negated(pattern) for pattern in patterns):
        return select(("**", *patterns), listed)
    chosen = _choose(patterns, listed)
    wanted = (pattern for pattern in patterns if not is_negated(pattern))
    found = ((_match(pattern, listed) & chosen) for pattern in wanted)
    return tuple(dict.fromkeys(name for names_of_one in found for name in listed if name in names_of_one))


def _take_apart(pattern: str) -> tuple[str, ...]:
    other = ANYTHING_ELSE.fullmatch(pattern)
    if other is None or other["head"]:
        return (pattern,)
    return tuple(f"!{each}" for each in other["inner"].split("|"))


def _choose(patterns: tuple[str, ...], names: tuple[str, ...]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        negated = is_negated(pattern)
        found = _match(pattern[negated:], names)
        chosen = chosen - found if negated else chosen | found
    return chosen


def _match(pattern: str, names: tuple[str, ...]) -> set[str]:
    return {name for name in names if matches(pattern, name)}


@lru_cache(maxsize=1024)
def _compile_all(pattern: str) -> tuple[re.Pattern[str], ...]:
    return tuple(_compile(each) for each in expand_braces(pattern))


def _compile(pattern: str) -> re.Pattern[str]:
    other = ANYTHING_ELSE.fullmatch(pattern)
    if other is None:
        return re.compile(_express(pattern))
    alternatives = "|".join(_express(each) for each in other["inner"].split("|"))
    if "/" in other["inner"]:
        rest = rf"{_NAMED}(?:/{_NAMED})*"
    else:
        rest = "[^/]*" if other["head"].rpartition("/")[2] else _NAMED
    return re.compile(rf"{_express(other['head'])}(?!(?:{alternatives})\Z){rest}")


def _express(pattern: str) -> str:
    """The pattern as a regular expression."""
    expression = ""
    *front, last = pattern.split("/")
    for segment in front:
        expression += rf"(?:{_NAMED}/)*" if segment == "**" else f"{_translate(segment)}/"
    if last != "**":
        expression += _translate(last)
    elif expression.endswith("/"):
        expression = rf"{expression[:-1]}(?:/{_NAMED})*"
    else:
        expression += rf"(?:{_NAMED}(?:/{_NAMED})*)?"
    return expression


def _translate(segment: str) -> str:
    """One segment as a regular expression."""
    parts: list[str] = ["(?!\\.)" if segment[:1] in {"*", "?"} and segment[1:2] != "(" else ""]
    at = 0
    while at < len(segment):
        several = ALTERNATIVES.match(segment, at)
        if several is not None:
            inner = "|".join(_translate(each) for each in several["inner"].split("|"))
            parts.append(f"(?:{inner}){several['kind'].replace('@', '')}")
            at = several.end()
            continue
        group = CLASS.match(segment, at)
        if group is not None:
            members = re.sub(r"([\\^\[])", r"\\\1", group["members"])
            parts.append(f"[{'^/' if group['not'] else ''}{members}]")
            at = group.end()
            continue
        if segment[at] == "*":
            parts.append("[^/]+" if set(segment) == {"*"} else "[^/]*")
            at += len(segment[at:]) - len(segment[at:].lstrip("*"))
            continue
        parts.append("[^/]" if segment[at] == "?" else re.escape(segment[at]))
        at += 1
    return "".join(parts)
