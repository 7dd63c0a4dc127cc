"""Which calls in a Python source ask for a flag: those of our client, of OpenFeature and of LaunchDarkly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from switchover.adapters.flag_receivers import Receivers, dotted_name, find_receivers, imports_a_library


class Asks(StrEnum):
    """What a call gives back."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    OBJECT = "object"
    ANY = "value"
    """Of the type of the caller's default."""
    VARIANT = "variant"
    BRANCH = "branch"
    """What one of two functions gives back."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method that asks. `default` is the position of the caller's default, -1: it is not looked at.

    `common`: other libraries have methods of that name, too.
    """

    asks: Asks
    default: int = -1
    detail: bool = False
    awaited: bool = False
    common: bool = False


def _list_methods() -> Iterator[tuple[str, Method]]:
    ours = {
        "is_enabled": Method(Asks.BOOLEAN, common=True),
        "get_value": Method(Asks.ANY, default=1, common=True),
        "variant": Method(Asks.VARIANT, common=True),
        "percentage": Method(Asks.BOOLEAN, common=True),
        "with_flag": Method(Asks.BRANCH),
        "variation": Method(Asks.ANY, common=True),
    }
    for name, method in ours.items():
        yield name, method
        yield f"{name}_detail", Method(method.asks, method.default, detail=True, common=method.common)
    typed = (Asks.BOOLEAN, Asks.STRING, Asks.INTEGER, Asks.FLOAT, Asks.OBJECT)
    for asks, (word, detail), (end, awaited) in product(
        typed, (("value", False), ("details", True)), (("", False), ("_async", True))
    ):
        yield f"get_{asks}_{word}{end}", Method(asks, default=1, detail=detail, awaited=awaited)


METHODS: Mapping[str, Method] = dict(_list_methods())
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises for a source that it cannot read, or that is nested too deeply."""

KEY_NAMES = frozenset({"key", "flag_key"})


@dataclass(frozen=True, slots=True)
class FlagCall:
    """One call. Lines from 1, columns from 0 in characters; `key` is None where `expression` is computed.

    `sure` is False where the name of the method is common and nothing else says that this is a client of flags.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    method: str
    key: str | None
    expression: str
    sure: bool

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where it begins and ends: calls in a chain begin at one place."""
        return self.line, self.column, self.end_line, self.end_column


def find_calls(source: str, constants: Mapping[str, str]) -> tuple[FlagCall, ...]:
    """All calls that ask for a flag, in the order of the text.

    `constants` are the dotted names that stand for a text in this module. A method of a common name with a computed
    key counts only where it is sure, or a library of flags is imported. Raises `UNREADABLE`.
    """
    tree = ast.parse(source)
    receivers, asks_flags = find_receivers(tree), imports_a_library(tree)
    lines = re.split(r"\r\n|\r|\n", source)
    found = (
        _read_call(node, constants, lines, receivers, asks_flags=asks_flags)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )
    return tuple(sorted((call for call in found if call is not None), key=lambda call: call.place))


def _read_call(
    node: ast.Call, constants: Mapping[str, str], lines: list[str], receivers: Receivers, *, asks_flags: bool
) -> FlagCall | None:
    method = METHODS.get(node.func.attr) if isinstance(node.func, ast.Attribute) else None
    if method is None or not isinstance(node.func, ast.Attribute):
        return None
    stated = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg in KEY_NAMES), None)
    if stated is None:
        return None
    key = _read_key(stated, constants)
    if key is None and isinstance(stated, ast.Constant):
        return None  # a number or None: no question for a flag
    sure = receivers.is_client(node.func.value) if method.common else not _asks(node.func.value)
    if key is None and not (sure or asks_flags):
        return None
    end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    start, end = _count_characters(lines[node.lineno - 1], node.col_offset), _count_characters(lines[end_line - 1], end)
    return FlagCall(node.lineno, start, end_line, end, node.func.attr, key, ast.unparse(stated), sure)


def _asks(node: ast.expr) -> bool:
    """Whether it is the answer to a question, and so no client."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS


def _count_characters(line: str, size: int) -> int:
    """How many characters the first bytes of a line are."""
    return len(line.encode()[:size].decode())


def _read_key(stated: ast.expr, constants: Mapping[str, str]) -> str | None:
    if isinstance(stated, ast.Constant):
        return stated.value if isinstance(stated.value, str) else None
    name = dotted_name(stated)
    return None if name is None else constants.get(name)
