"""The operators that look at their arguments alone, as flagd's Python evaluator computes them.

Each takes what its arguments have given: missing ones are None, more than it knows are ignored. `switchover.flags.
compile_expression` has the operators that decide which arguments are evaluated, and those that look at the context.
"""

from __future__ import annotations

import functools
import importlib
import json
import operator
from collections.abc import Callable
from datetime import date
from math import isnan
from typing import Any, Final

from switchover.flags.conversions import NAN, to_bool, to_number, to_text
from switchover.flags.forks import IMPORTING_BRIEFLY

Operator = Callable[..., Any]


def equals(a: object = None, b: object = None, *_: object) -> bool:  # noqa: PLR0911 - a ladder of types
    """JavaScript's `==`: after conversion; two lists or two objects are equal only if they are the same."""
    if type(a) is type(b):
        return a is b if type(a) in {list, dict} else bool(a == b)
    if isinstance(a, (int, float)):
        return a == (b if isinstance(b, (int, float)) else to_number(b))
    if isinstance(b, (int, float)):
        return to_number(a) == b
    if a is None or b is None:
        return False
    if isinstance(a, str) and isinstance(b, (list, dict)):
        return a == to_text(b)
    if isinstance(a, (list, dict)):
        if isinstance(b, (list, dict)):
            return False
        if isinstance(b, str):
            return to_text(a) == b
    raise TypeError


def _ordered(compare: Callable[[Any, Any], Any]) -> Operator:
    """A comparison after conversion, as JavaScript's; of three arguments, of both pairs."""

    def compare_two(a: object, b: object) -> Any:
        if isinstance(a, (int, float)):
            return compare(a, to_number(b))
        if isinstance(b, (int, float)):
            return compare(to_number(a), b)
        if isinstance(a, str) or isinstance(b, str):
            return compare(to_text(a), to_text(b))
        return compare(to_number(a), to_number(b))

    def compare_all(a: object = None, b: object = None, c: object = None, *_: object) -> Any:
        return compare_two(a, b) if c is None else compare_two(a, b) and compare_two(b, c)

    return compare_all


def contains(needle: object = None, haystack: object = None, *_: object) -> bool:
    """Whether a list has an equal item, or a text the needle's text."""
    if isinstance(haystack, list):
        return needle in haystack
    return isinstance(haystack, str) and to_text(needle) in haystack


def _add(*args: object) -> float:
    value: float = 0
    for arg in args:
        value += to_number(arg)  # `sum` rounds otherwise from Python 3.12 on
    return value


def _multiply(*args: object) -> float:
    value: float = 1
    for arg in args:
        value *= to_number(arg)
    return value


def _subtract(a: object = None, b: object = None, *_: object) -> float:
    return -to_number(a) if b is None else to_number(a) - to_number(b)


def _substring(text: object = None, index: object = None, length: object = None, *_: object) -> str:
    text, start = to_text(text), to_number(index)
    if isnan(start):
        start = 0
    elif start < 0:
        start = 0 if -start >= len(text) else len(text) - int(-start)
    else:
        start = min(int(start), len(text))
    if length is None:
        return text[start:]
    wanted = to_number(length)
    if isnan(wanted):
        return ""
    end = int(wanted)
    return text[start : max(start, len(text) + end) if end < 0 else start + end]


def _merge(*args: object) -> list[object]:
    merged: list[object] = []
    for arg in args:
        if isinstance(arg, list):
            merged.extend(arg)
        else:
            merged.append(arg)
    return merged


def _log(value: object = None, *_: object) -> object:
    """The value. Nothing is written to the application's output; what flagd could not write fails as it does there."""
    if not isinstance(value, (str, int, float, type(None))):
        json.dumps(value, default=date.isoformat)
    return value


def _compare_texts(method: Callable[[str, str], bool]) -> Operator:
    def compare(*args: object) -> bool | None:
        if len(args) == 2 and isinstance(args[0], str) and isinstance(args[1], str):  # noqa: PLR2004 - a text and its part
            return method(args[0], args[1])
        return None

    return compare


_TESTS: Final[dict[str, Operator]] = {
    "==": equals,
    "!=": lambda a=None, b=None, *_: not equals(a, b),
    "===": lambda a=None, b=None, *_: a == b,
    "!==": lambda a=None, b=None, *_: a != b,
    "<": _ordered(operator.lt),
    ">": _ordered(operator.gt),
    "<=": _ordered(operator.le),
    ">=": _ordered(operator.ge),
    "!": lambda a=None, *_: not to_bool(a),
    "!!": lambda a=None, *_: to_bool(a),
    "in": contains,
    "starts_with": _compare_texts(str.startswith),
    "ends_with": _compare_texts(str.endswith),
}
_SEM_VER: Final = "sem_ver"

TESTS: Final = frozenset({*_TESTS, _SEM_VER})
"""Those that give a truth, or None, so that their result needs no conversion where a truth is asked."""

_OPERATORS: Final[dict[str, Operator]] = {
    **_TESTS,
    "+": _add,
    "*": _multiply,
    "-": _subtract,
    "/": lambda a=None, b=None, *_: to_number(a) / to_number(b),
    "%": lambda a=None, b=None, *_: to_number(a) % to_number(b),
    "min": lambda *args: min(map(to_number, args)) if args else NAN,
    "max": lambda *args: max(map(to_number, args)) if args else NAN,
    "cat": lambda *args: "".join(map(to_text, args)),
    "substr": _substring,
    "merge": _merge,
    "log": _log,
}


def find_operator(name: str) -> Operator | None:
    """The operator of that name; None: there is none here."""
    return _import_versions() if name == _SEM_VER else _OPERATORS.get(name)


@functools.cache
def _import_versions() -> Operator:
    """Not before a rule needs it: the library takes long to import."""
    with IMPORTING_BRIEFLY:
        module = importlib.import_module("switchover.flags.version_operator")
    compare: Operator = module.compare_versions
    return compare
