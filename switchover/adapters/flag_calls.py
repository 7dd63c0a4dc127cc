"""Which calls in a Python source ask for a flag: those of our client, of OpenFeature and of LaunchDarkly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product


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
LIBRARIES = ("switchover.flags", "openfeature", "ldclient")
# What a client of flags is mostly called; asked for only where the method's name does not tell.
_RECEIVER = re.compile(r"flag|feature|toggle|client|\bld\b|switchover", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FlagCall:
    """One call. `line` from 1, `column` from 0 in characters; `key` is None where `expression` is computed.

    `sure` is False where the name of the method is common and nothing else says that this is a client of flags.
    """

    line: int
    column: int
    method: str
    key: str | None
    expression: str
    sure: bool


def find_calls(source: str, constants: Mapping[str, str]) -> tuple[FlagCall, ...]:
    """All calls that ask for a flag, in the order of the text.

    `constants` are the dotted names that stand for a text in this module. A method of a common name with a
    computed key counts only where it is sure. Raises `UNREADABLE`.
    """
    tree = ast.parse(source)
    asks_flags = imports_a_library(tree)
    lines = re.split(r"\r\n|\r|\n", source)
    found = (
        _read_call(node, constants, lines, asks_flags=asks_flags)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )
    return tuple(sorted((call for call in found if call is not None), key=lambda call: (call.line, call.column)))


def imports_a_library(tree: ast.AST) -> bool:
    """Whether a library of flags is imported anywhere in it."""
    return any(
        name == library or name.startswith(f"{library}.") for name in _imported_modules(tree) for library in LIBRARIES
    )


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.c` for names and attributes of names, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return before and f"{before}.{node.attr}"
    return None


def _imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _read_call(node: ast.Call, constants: Mapping[str, str], lines: list[str], *, asks_flags: bool) -> FlagCall | None:
    method = METHODS.get(node.func.attr) if isinstance(node.func, ast.Attribute) else None
    if method is None or not isinstance(node.func, ast.Attribute):
        return None
    stated = node.args[0] if node.args else next((each.value for each in node.keywords if each.arg in KEY_NAMES), None)
    if stated is None:
        return None
    key = _read_key(stated, constants)
    if key is None and isinstance(stated, ast.Constant):
        return None  # a number or None: no question for a flag
    sure = not method.common or asks_flags or _RECEIVER.search(ast.unparse(node.func.value)) is not None
    if key is None and not sure:
        return None
    column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
    return FlagCall(node.lineno, column, node.func.attr, key, ast.unparse(stated), sure)


def _read_key(stated: ast.expr, constants: Mapping[str, str]) -> str | None:
    if isinstance(stated, ast.Constant):
        return stated.value if isinstance(stated.value, str) else None
    name = dotted_name(stated)
    return None if name is None else constants.get(name)
