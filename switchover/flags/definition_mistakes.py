"""One mistake in a flag set: where it is, what was expected there and what was found."""

from __future__ import annotations

import difflib
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from switchover.flags.json_values import MAX_DEPTH, is_json, is_unicode

MAX_NAME: Final = 256
_SHOWN: Final = 60
_NOT_IN_NAMES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """A node that a set may not have.

    `path` names it from the section down, with slashes, like `flags/checkout/targeting/if/0/starts_with`. A name that
    holds a slash itself is written as in a JSON pointer (`~1`, and `~0` for a tilde).
    """

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        """All of it on one line."""
        return f"{self.path}: expected {self.expected}, found {self.found}"


def below(path: str, *names: str | int) -> str:
    """The path of a node inside the node at `path`."""
    inner = "/".join(str(name).replace("~", "~0").replace("/", "~1") for name in names)
    return f"{path}/{inner}" if path else inner


def show(value: object) -> str:
    """A value in a message: its JSON, cut when it is long; what is no JSON by its type."""
    if isinstance(value, Mapping | list) and value:
        kind, members = ("an object", "keys") if isinstance(value, Mapping) else ("a list", "members")
        return f"{kind} with {len(value)} {members}"
    try:
        # Only so much as is shown: a text of megabytes is not written out for its first sixty characters.
        text = json.dumps(value[: _SHOWN + 1] if isinstance(value, str) else value)
    except (TypeError, ValueError, RecursionError):
        return f"a Python {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def one_of(names: Iterable[object]) -> str:
    """What was expected, where there is a list of names."""
    listed = [str(name) for name in names]
    if not listed:
        return "nothing"
    shown = ", ".join(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…" for name in listed[:12])
    return f"one of {shown}" + (f" … ({len(listed)} in all)" if len(listed) > 12 else "")  # noqa: PLR2004


def show_near(word: str, known: Iterable[object]) -> str:
    """A name in a message, with the nearest known one where one is near."""
    names = [name for name in known if isinstance(name, str)]
    close = difflib.get_close_matches(word[:MAX_NAME], names, n=1, cutoff=0.5) if len(names) <= MAX_NAME else []
    return f"{show(word)} (did you mean {close[0]}?)" if close else show(word)


def check_name(path: str, name: object, *, what: str, slash: bool = False) -> Iterator[Mistake]:
    """The name of a flag, a variant or an evaluator: not empty, not endless, printable."""
    expected = f"{what} of 1 to {MAX_NAME} characters, none of them a control character" + ("" if slash else " or /")
    if not isinstance(name, str):
        yield Mistake(path, expected, show(name))
    elif not 1 <= len(name) <= MAX_NAME:
        yield Mistake(path, expected, f"{len(name)} characters")
    elif ("/" in name and not slash) or any(unicodedata.category(each) in _NOT_IN_NAMES for each in name):
        yield Mistake(path, expected, show(name))


def check_json(path: str, value: object, deepest: int = MAX_DEPTH) -> Iterator[Mistake]:
    """What is no JSON that every reader takes: NaN, lone surrogates, too many levels, Python objects."""
    # Told at once, since most are: a path for each node of ten megabytes takes seconds.
    if is_json(value, deepest):
        return
    todo: list[tuple[str, object, int]] = [(path, value, 1)]
    while todo:
        at, node, depth = todo.pop()
        if depth > deepest:
            yield Mistake(at, f"at most {deepest} levels", "more")
            return
        if isinstance(node, dict):
            for name in node:
                if not isinstance(name, str) or not is_unicode(name):
                    yield Mistake(at, "names that are Unicode text", show(name))
            todo += [(below(at, str(name)), member, depth + 1) for name, member in node.items()]
        elif isinstance(node, list):
            todo += [(below(at, index), member, depth + 1) for index, member in enumerate(node)]
        else:
            yield from _check_primitive(at, node)


def _check_primitive(path: str, value: object) -> Iterator[Mistake]:
    if isinstance(value, str):
        if not is_unicode(value):
            yield Mistake(path, "Unicode text", "half a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Mistake(path, "a finite number", show(value))
    elif value is not None and not isinstance(value, bool | int):
        yield Mistake(path, "JSON", show(value))
