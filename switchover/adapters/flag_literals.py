"""Expressions whose value is known because a flag was: learned where they are made, folded where they meet."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import libcst as cst

from switchover.adapters.flag_effects import Effects

_Expression = TypeVar("_Expression", bound=cst.BaseExpression)

_OPERATORS: Mapping[type[cst.BaseCompOp], Callable[[Any, Any], object]] = {
    cst.Equal: operator.eq,
    cst.NotEqual: operator.ne,
    cst.Is: operator.is_,
    cst.IsNot: operator.is_not,
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
    cst.In: lambda left, right: left in right,
    cst.NotIn: lambda left, right: left not in right,
}
_SINGLETONS = (True, False, None)


@dataclass(frozen=True, slots=True)
class Known:
    """A value that an expression surely has."""

    value: object


@dataclass(slots=True)
class Literals:
    """The expressions that were made, by identity, and what is known of the effects of all others."""

    effects: Effects
    _made: dict[int, tuple[cst.BaseExpression, Known]] = field(default_factory=dict)

    def make(self, value: object, replaced: cst.BaseExpression, *, quote: str = '"') -> cst.BaseExpression:
        """The literal of a value, with the parentheses of what it replaces."""
        made = with_parentheses(cst.parse_expression(write_literal(value, quote)), replaced)
        return self.learn(made, value)

    def learn(self, expression: _Expression, value: object) -> _Expression:
        """Remember what the value of this very node is."""
        self._made[id(expression)] = (expression, Known(value))
        return expression

    def read(self, expression: cst.CSTNode) -> Known | None:
        """What is known of this very node."""
        found = self._made.get(id(expression))
        return None if found is None else found[1]

    def fold_comparison(self, comparison: cst.Comparison) -> cst.BaseExpression:
        """Its literal, where one side is known and the other one is written out."""
        if len(comparison.comparisons) != 1:
            return comparison
        target = comparison.comparisons[0]
        if self.read(comparison.left) is None and self.read(target.comparator) is None:
            return comparison
        left, right = self._read_literal(comparison.left), self._read_literal(target.comparator)
        compare = _OPERATORS.get(type(target.operator))
        if left is None or right is None or compare is None:
            return comparison
        if compare in {operator.is_, operator.is_not} and not (_is_single(left.value) or _is_single(right.value)):
            return comparison  # `is` between two texts depends on the interpreter
        try:
            return self.make(bool(compare(left.value, right.value)), comparison)
        except TypeError:
            return comparison

    def carry(self, chosen: cst.BaseExpression, replaced: cst.BaseExpression) -> cst.BaseExpression:
        """What is chosen, in the place of what it was chosen from. A value that is written out is known now, too."""
        known = self._read_literal(chosen)
        placed = with_parentheses(chosen, replaced)
        return placed if known is None else self.learn(placed, known.value)

    def _read_literal(self, expression: cst.BaseExpression) -> Known | None:
        known = self.read(expression)
        if known is not None:
            return known
        try:
            return Known(ast.literal_eval(cst.Module([]).code_for_node(expression)))
        except (ValueError, SyntaxError, TypeError):
            return None


def write_literal(value: object, quote: str = '"') -> str:
    """Python's text of a JSON value; texts stand in the wanted quotes where they can."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_literal(k, quote)}: {write_literal(v, quote)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write_literal(each, quote) for each in value) + "]"
    text = repr(value)
    if isinstance(value, str) and quote not in value and text[1:-1].replace("\\\\", "").count("\\'") == 0:
        return quote + text[1:-1] + quote
    return text


def with_parentheses(expression: _Expression, replaced: cst.BaseExpression) -> _Expression:
    """The expression in the place of another one: it takes over its parentheses where it has none of its own."""
    if expression.lpar or not replaced.lpar:
        return expression
    return expression.with_changes(lpar=replaced.lpar, rpar=replaced.rpar)


def is_boolean(expression: cst.BaseExpression) -> bool:
    """Whether its value is True or False and nothing else."""
    if isinstance(expression, cst.BooleanOperation):
        return is_boolean(expression.left) and is_boolean(expression.right)
    if isinstance(expression, cst.Comparison):
        return all(
            isinstance(each.operator, cst.Is | cst.IsNot | cst.In | cst.NotIn) for each in expression.comparisons
        )
    return (isinstance(expression, cst.UnaryOperation) and isinstance(expression.operator, cst.Not)) or (
        isinstance(expression, cst.Name) and expression.value in {"True", "False"}
    )


def _is_single(value: object) -> bool:
    return any(value is each for each in _SINGLETONS)
