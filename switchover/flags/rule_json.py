"""A rule as flagd's targeting, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from switchover.errors import InputError
from switchover.flags.definition_targeting import SEM_VER_OPERATORS
from switchover.flags.rule_values import (
    OFF,
    ON,
    WHOLE,
    AllOf,
    AnyOf,
    Audience,
    Branch,
    Constant,
    Ending,
    Groups,
    Outcome,
    Percentage,
    Rule,
    Split,
    When,
    as_rule,
)
from switchover.flags.shares import Shares, read_shares, read_spread, spread, write_shares
from switchover.flags.snapshot import Json

_STRICT: Final[Mapping[str, str]] = {"==": "===", "!=": "!=="}
_ORDERED: Final = ("<", "<=", ">", ">=")
_TEXTS: Final = ("starts_with", "ends_with")
_SEM_VER: Final[Mapping[str, str]] = {f"sem_ver {operator}": operator for operator in SEM_VER_OPERATORS}
OPERATORS: Final = (*_STRICT, *_ORDERED, "in", "not in", "contains", *_TEXTS, *_SEM_VER)

IN: Final = "in"
OUT: Final = "out"


def build_targeting(given: Ending, *, on: str = ON, off: str = OFF) -> dict[str, Json]:
    """The targeting of a rule, a split, or an audience that gets `on` where the others get `off`.

    Raises `InputError` for a rule that says nothing.
    """
    rule = as_rule(given, on, off)
    last = _write_outcome(rule.last)
    if rule.branches:
        pairs = [
            each for branch in rule.branches for each in (condition_of(branch.audience), _write_outcome(branch.outcome))
        ]
        return {"if": [*pairs, last]}
    if last is not None:
        return last if isinstance(last, dict) else {"if": [last]}
    raise InputError(
        "the rule has nobody in it",
        expected="an audience or a split",
        found="the default variant for everybody",
        next_step="leave the targeting out instead",
    )


def read_rule(targeting: object) -> Rule | None:
    """The rule that builds exactly this targeting; None for what was written by hand in another way. Never raises."""
    try:
        rule = _read(targeting)
        # What the readers below leave out must not get lost in an edit.
        return rule if rule is not None and build_targeting(rule) == targeting else None
    except RecursionError:
        return None


def _read(targeting: object) -> Rule | None:
    if not isinstance(targeting, dict) or len(targeting) != 1:
        return None
    split = _read_split(targeting)
    if split is not None:
        return Rule((), split)
    arguments = targeting.get("if")
    if not isinstance(arguments, list) or len(arguments) % 2 == 0:
        return None
    branches = []
    for condition, result in zip(arguments[:-1:2], arguments[1::2], strict=True):
        audience, outcome = _read_condition(condition), _read_outcome(result)
        if audience is None or outcome is None:
            return None
        branches.append(Branch(audience, outcome))
    last = _read_outcome(arguments[-1])
    if not branches and not isinstance(last, str):
        return None
    return None if last is None and arguments[-1] is not None else Rule(tuple(branches), last)


def _write_outcome(outcome: Outcome | None) -> Json:
    return write_shares(Shares(outcome.shares)) if isinstance(outcome, Split) else outcome


def _read_outcome(result: object) -> Outcome | None:
    return result if isinstance(result, str) else _read_split(result)


def _read_split(node: object) -> Split | None:
    shares = read_shares(node)
    return None if shares is None or shares.by is not None else Split(shares.weights)


def condition_of(audience: Audience) -> Json:
    """The JsonLogic that is true for the audience; a constant for a percentage that is everybody or nobody."""
    match audience:
        case When(attribute, op, value):
            return _write_when(attribute, op, list(value) if isinstance(value, tuple) else value)
        case Groups(names):
            return {"some": [{"var": "groups"}, {"in": [{"var": ""}, list(names)]}]}
        case Percentage(weight):
            shares = Shares(((IN, weight), (OUT, WHOLE - weight)))
            return weight == WHOLE if shares.whole else {"==": [spread(shares), IN]}
        case AnyOf(parts):
            return {"or": [condition_of(part) for part in parts]}
        case AllOf(parts):
            return {"and": [condition_of(part) for part in parts]}
    raise TypeError(audience)


def _write_when(attribute: str, op: str, value: Json) -> dict[str, Json]:
    var: dict[str, Json] = {"var": attribute}
    if op in _ORDERED:
        # To JsonLogic a missing attribute is 0, and so below 18.
        return {"and": [{"!==": [var, None]}, {op: [var, value]}]}
    if op in _SEM_VER:
        return {"sem_ver": [var, _SEM_VER[op], value]}
    if op == "not in":
        return {"!": [{"in": [var, value]}]}
    return {"in": [value, var]} if op == "contains" else {_STRICT.get(op, op): [var, value]}


def _read_condition(node: object) -> Audience | None:
    if isinstance(node, bool):
        return Percentage(WHOLE if node else 0)
    if not isinstance(node, dict) or len(node) != 1:
        return None
    [(operator, arguments)] = node.items()
    if not isinstance(arguments, list) or not arguments:
        return None
    if operator == "some":
        return _read_groups(arguments)
    if operator in {"and", "or"}:
        ordered = _read_ordered(arguments) if operator == "and" else None
        return ordered or _read_parts(operator, arguments)
    return _read_percentage(arguments) if operator == "==" else _read_when(operator, arguments)


def _read_groups(arguments: list[object]) -> Groups | None:
    match arguments:
        case [{"var": "groups"}, {"in": [{"var": ""}, [*names]]}] if names and all(isinstance(it, str) for it in names):
            return Groups(tuple(map(str, names)))
    return None


def _read_percentage(arguments: list[object]) -> Percentage | None:
    match read_spread(arguments[0]):
        case Shares(((_, weight), (_, _)), None):
            return Percentage(weight)
    return None


def _read_parts(operator: str, arguments: list[object]) -> Audience | None:
    parts = [part for part in map(_read_condition, arguments) if part is not None]
    if len(parts) != len(arguments):
        return None
    return AnyOf(tuple(parts)) if operator == "or" else AllOf(tuple(parts))


def _read_ordered(arguments: list[object]) -> When | None:
    match arguments:
        case [{"!==": [{"var": str()}, None]}, dict() as comparison] if len(comparison) == 1:
            [(op, compared)] = comparison.items()
            match compared:
                case [{"var": str() as attribute}, bool() | int() | float() | str() as value] if op in _ORDERED:
                    return When(attribute, op, value)
    return None


def _read_when(operator: str, arguments: list[object]) -> When | None:
    match (operator, arguments):
        case ("in", [{"var": str() as attribute}, [*values]]):
            return _listed(attribute, "in", values)
        case ("in", [bool() | int() | float() | str() as value, {"var": str() as attribute}]):
            return When(attribute, "contains", value)
        case ("!", [{"in": [{"var": str() as attribute}, [*values]]}]):
            return _listed(attribute, "not in", values)
        case ("sem_ver", [{"var": str() as attribute}, str() as symbol, str() as version]):
            return When(attribute, f"sem_ver {symbol}", version) if symbol in SEM_VER_OPERATORS else None
        case (_, [{"var": str() as attribute}, bool() | int() | float() | str() as value]):
            op = _PLAIN.get(operator)
            return None if op is None else When(attribute, op, value)
    return None


_PLAIN: Final[Mapping[str, str]] = {**{written: op for op, written in _STRICT.items()}, **{op: op for op in _TEXTS}}


def _listed(attribute: str, op: str, values: list[object]) -> When | None:
    constants: list[Constant] = [value for value in values if isinstance(value, bool | int | float | str)]
    return When(attribute, op, tuple(constants)) if constants and len(constants) == len(values) else None
