"""The form of a targeting rule: flagd's JsonLogic, operator by operator, as its published schema has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from switchover.flags.definition_mistakes import Mistake, below, one_of, show, show_near

MAX_WEIGHT_SUM: Final = 2**31 - 1
FLAGD_VARIABLES: Final = ("$flagd.timestamp", "$flagd.flagKey")
SEM_VER_OPERATORS: Final = ("=", "!=", ">", "<", ">=", "<=", "~", "^")
SEM_VER: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)

_MANY: Final = 2**31
_ARGUMENTS: Final[Mapping[str, tuple[int, int]]] = {
    **dict.fromkeys(("==", "===", "!=", "!==", ">", ">=", "%", "/", "in"), (2, 2)),
    **dict.fromkeys(("map", "filter", "all", "none", "some"), (2, 2)),
    **dict.fromkeys(("<", "<=", "substr"), (2, 3)),
    **dict.fromkeys(("if", "or", "and", "+", "-", "max", "min", "merge", "cat"), (1, _MANY)),
    "*": (2, _MANY),
    "reduce": (3, 3),
}
"""How many arguments an operator takes whose arguments may be anything."""


def check_rule(path: str, rule: object) -> Iterator[Mistake]:
    """An operation, as a targeting or an evaluator is one."""
    if not isinstance(rule, dict):
        yield Mistake(path, 'an operation like {"if": […]}', show(rule))
    elif len(rule) != 1:
        yield Mistake(path, "an object with exactly one operator", f"{len(rule)} keys{_listed(rule)}")
    else:
        [(operator, given)] = rule.items()
        at = below(path, str(operator))
        if operator in _ARGUMENTS:
            yield from _check_arguments(at, given, _ARGUMENTS[operator])
        elif operator in _FORMS:
            yield from _FORMS[operator](at, given)
        elif operator == "$ref":
            yield Mistake(path, "an operation (a $ref may only stand as an argument of one)", "a $ref")
        else:
            yield Mistake(at, "an operator of flagd", show_near(str(operator), OPERATORS))


def check_argument(path: str, value: object) -> Iterator[Mistake]:
    """An argument: an operation, a reference, a constant, or a list of these."""
    if isinstance(value, dict):
        if set(value) == {"$ref"}:
            if not isinstance(value["$ref"], str):
                yield Mistake(below(path, "$ref"), "the name of an evaluator", show(value["$ref"]))
        else:
            yield from check_rule(path, value)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            if isinstance(member, dict | list):
                yield from check_argument(below(path, index), member)


def _listed(rule: Mapping[str, object]) -> str:
    return f" ({', '.join(sorted(map(str, rule))[:5])})" if rule else ""


def _check_arguments(path: str, given: object, counts: tuple[int, int]) -> Iterator[Mistake]:
    if not _is_list(given, *counts):
        yield Mistake(path, _count(*counts), _found(given))
        return
    yield from check_argument(path, given)


def _is_list(given: object, least: int, most: int) -> bool:
    return isinstance(given, list) and least <= len(given) <= most


def _count(least: int, most: int) -> str:
    if most == _MANY:
        return f"a list of {least} or more arguments"
    return f"a list of {least} arguments" if least == most else f"a list of {least} to {most} arguments"


def _found(given: object) -> str:
    return f"{len(given)} arguments" if isinstance(given, list) else show(given)


def _check_unary(path: str, given: object) -> Iterator[Mistake]:
    if isinstance(given, list) and len(given) != 1:
        yield Mistake(path, "one argument", _found(given))
        return
    yield from check_argument(path, given)


def _check_var(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list):
        yield from _check_variable(path, given)
        return
    if len(given) > 2:  # noqa: PLR2004
        yield Mistake(path, "a name and, at most, a default", _found(given))
        return
    if given:
        yield from _check_variable(below(path, 0), given[0])
        yield from check_argument(path, given[1:])


def _check_variable(path: str, name: object) -> Iterator[Mistake]:
    if isinstance(name, dict):
        yield from check_argument(path, name)
    elif isinstance(name, str):
        if name.startswith("$flagd.") and name not in FLAGD_VARIABLES:
            yield Mistake(path, one_of(FLAGD_VARIABLES), show_near(name, FLAGD_VARIABLES))
    elif not isinstance(name, int) or isinstance(name, bool):
        yield Mistake(path, "the name of an attribute", show(name))


def _check_missing(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list):
        yield Mistake(path, "a list of attribute names", show(given))
        return
    for index, name in enumerate(given):
        if not isinstance(name, str):
            yield Mistake(below(path, index), "the name of an attribute", show(name))


def _check_missing_some(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004
        yield Mistake(path, "a number and a list of attribute names", _found(given))
        return
    if isinstance(given[0], bool) or not isinstance(given[0], int | float):
        yield Mistake(below(path, 0), "a number", show(given[0]))
    yield from _check_missing(below(path, 1), given[1])


def _check_comparison(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004
        yield Mistake(path, "two arguments, each a text or an operation", _found(given))
        return
    for index, argument in enumerate(given):
        if not isinstance(argument, str):
            yield from check_rule(below(path, index), argument)


def _check_sem_ver(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list) or len(given) != 3:  # noqa: PLR2004
        yield Mistake(path, "a version, an operator and a version", _found(given))
        return
    for index in (0, 2):
        version, at = given[index], below(path, index)
        if isinstance(version, dict) and set(version) == {"var"}:
            yield from check_rule(at, version)
        elif not isinstance(version, str) or not SEM_VER.fullmatch(version):
            yield Mistake(at, "a version like 1.2.3 or a var", show(version))
    if given[1] not in SEM_VER_OPERATORS:
        yield Mistake(below(path, 1), one_of(SEM_VER_OPERATORS), show(given[1]))


def _check_fractional(path: str, given: object) -> Iterator[Mistake]:
    if not isinstance(given, list) or not given:
        yield Mistake(path, 'a list of shares like ["on", 25]', _found(given))
        return
    first = 0
    if isinstance(given[0], dict):
        first = 1
        yield from check_rule(below(path, 0), given[0])
    mistakes = [
        mistake
        for index, share in enumerate(given[first:], first)
        for mistake in _check_share(below(path, index), share)
    ]
    yield from mistakes
    if not mistakes:
        yield from _check_sum(path, given[first:])


def _check_share(path: str, share: object) -> Iterator[Mistake]:
    if not _is_list(share, 1, 2) or not isinstance(share, list):
        yield Mistake(path, 'a share like ["on", 25]', show(share))
        return
    yield from check_argument(below(path, 0), share[0])
    if len(share) > 1:
        weight, at = share[1], below(path, 1)
        if isinstance(weight, dict):
            yield from check_rule(at, weight)
        elif isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= MAX_WEIGHT_SUM:
            yield Mistake(at, f"a whole number from 0 to {MAX_WEIGHT_SUM}", show(weight))


def _check_sum(path: str, shares: list[list[object]]) -> Iterator[Mistake]:
    weights = [share[1] if len(share) > 1 else 1 for share in shares]
    known = [weight for weight in weights if isinstance(weight, int)]
    total = sum(known)
    if total > MAX_WEIGHT_SUM or (total == 0 and len(known) == len(weights)):
        yield Mistake(path, f"weights with a sum from 1 to {MAX_WEIGHT_SUM}", f"{total}")


_FORMS: Final[Mapping[str, Callable[[str, object], Iterator[Mistake]]]] = {
    "!": _check_unary,
    "!!": _check_unary,
    "var": _check_var,
    "missing": _check_missing,
    "missing_some": _check_missing_some,
    "starts_with": _check_comparison,
    "ends_with": _check_comparison,
    "sem_ver": _check_sem_ver,
    "fractional": _check_fractional,
}

OPERATORS: Final = (*_ARGUMENTS, *_FORMS)
