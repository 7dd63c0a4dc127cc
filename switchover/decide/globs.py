"""Globs over package names and folders, as changesets and package managers read them.

`*` and `?` stay within one segment and leave out a leading dot, `**` spans segments (`a/**` is `a` too), `[abc]` is
one character and `[^abc]` any other, `{a,b}` are alternatives, and a leading `!` takes away what was matched before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

MAGIC = frozenset("*?[]{}")
NOT_UNDERSTOOD = re.compile(r"[()\\]|\{[^{},]*\.\.[^{},]*\}")
_NAMED = r"(?!\.)[^/]+"
CLASS = re.compile(r"\[(?P<not>\^?)(?P<members>[^]/\[]+)\]")


def is_glob(pattern: str) -> bool:
    """Whether anything in the text stands for something else."""
    return not MAGIC.isdisjoint(pattern)


def is_understood(pattern: str) -> bool:
    """Whether the pattern stays within what this module reads: no `@(a|b)`, no `{1..3}`, no backslash."""
    return NOT_UNDERSTOOD.search(pattern) is None


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
    return any(_compile(each).fullmatch(text) for each in expand_braces(pattern))


def select(patterns: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The names that the patterns leave, as changesets 3 has it: in the order of `names`."""
    listed = tuple(names)
    chosen = _choose(patterns, listed)
    return tuple(name for name in listed if name in chosen)


def select_by_pattern(patterns: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The names that the patterns leave, as changesets 2 has it: in the order in which the patterns name them.

    Nothing but patterns with `!` takes away from all names.
    """
    listed = tuple(names)
    if patterns and all(pattern.startswith("!") for pattern in patterns):
        return select(("**", *patterns), listed)
    chosen = _choose(patterns, listed)
    wanted = (pattern for pattern in patterns if not pattern.startswith("!"))
    return tuple(
        dict.fromkeys(name for pattern in wanted for name in listed if name in chosen & _match(pattern, listed))
    )


def _choose(patterns: tuple[str, ...], names: tuple[str, ...]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        found = _match(pattern.removeprefix("!"), names)
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    return chosen


def _match(pattern: str, names: tuple[str, ...]) -> set[str]:
    return {name for name in names if matches(pattern, name)}


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str]:
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
    return re.compile(expression)


def _translate(segment: str) -> str:
    """One segment as a regular expression."""
    parts: list[str] = ["(?!\\.)" if segment[:1] in {"*", "?"} else ""]
    at = 0
    while at < len(segment):
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
