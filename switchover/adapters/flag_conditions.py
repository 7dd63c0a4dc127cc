"""Conditions in which a flag is known: what they come to, and what has to be evaluated all the same."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from switchover.adapters.flag_literals import Literals, is_boolean


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition. `value` is None where it still depends on `rest`.

    Where it is known, `effects` are the expressions that were evaluated before and may do something.
    """

    value: bool | None
    rest: cst.BaseExpression
    effects: tuple[cst.BaseExpression, ...] = ()


def judge_condition(condition: cst.BaseExpression, literals: Literals) -> Judged:
    """What an expression comes to where only its truth is asked for."""
    known = literals.read(condition)
    if known is not None:
        return Judged(bool(known.value), condition)
    if isinstance(condition, cst.UnaryOperation) and isinstance(condition.operator, cst.Not):
        return _judge_negation(condition, literals)
    if isinstance(condition, cst.NamedExpr):
        known = literals.read(condition.value)
        return Judged(None, condition) if known is None else Judged(bool(known.value), condition, (condition,))
    if isinstance(condition, cst.BooleanOperation):
        return _judge_operation(condition, literals)
    return Judged(None, condition)


def _judge_negation(condition: cst.UnaryOperation, literals: Literals) -> Judged:
    judged = judge_condition(condition.expression, literals)
    if judged.value is not None:
        return Judged(not judged.value, condition, judged.effects)
    if judged.rest is condition.expression:
        return Judged(None, condition)
    return Judged(None, condition.with_changes(expression=judged.rest))


def _judge_operation(condition: cst.BooleanOperation, literals: Literals) -> Judged:
    # What decides alone: False for `and`, True for `or`.
    decides = isinstance(condition.operator, cst.Or)
    left = judge_condition(condition.left, literals)
    if left.value is decides:
        return left
    right = judge_condition(condition.right, literals)
    if left.value is not None:
        return _judge_second(condition, left, right, literals)
    if right.value is not None and not right.effects:
        return _judge_first(condition, left, right.value, literals)
    if left.rest is condition.left and right.rest is condition.right:
        return Judged(None, condition)
    rest = condition.right if right.value is not None else right.rest
    return Judged(None, condition.with_changes(left=left.rest, right=rest))


def simplify_operation(operation: cst.BooleanOperation, literals: Literals) -> cst.BaseExpression:
    """`and` and `or` where the value is asked for: what Python would give, and nothing else."""
    decides = isinstance(operation.operator, cst.Or)
    left = literals.read(operation.left)
    if left is not None:
        chosen = operation.left if bool(left.value) is decides else operation.right
        return literals.carry(chosen, operation)
    inner = operation.left
    if isinstance(inner, cst.BooleanOperation) and type(inner.operator) is type(operation.operator) and not inner.lpar:
        middle = literals.read(inner.right)
        if middle is not None:  # `a and True and b` is `a and b`; `a and False and b` is `a and False`
            operation = operation.with_changes(
                left=inner.left,
                operator=inner.operator,
                right=inner.right if bool(middle.value) is decides else operation.right,
            )
    right = literals.read(operation.right)
    if right is None or not isinstance(right.value, bool) or not is_boolean(operation.left):
        return operation
    if right.value is not decides:
        return literals.carry(operation.left, operation)
    return literals.carry(operation.right, operation) if literals.effects.is_harmless(operation.left) else operation


def _judge_second(condition: cst.BooleanOperation, left: Judged, right: Judged, literals: Literals) -> Judged:
    """The first operand is known and does not decide."""
    if right.value is not None:
        return Judged(right.value, condition, (*left.effects, *right.effects))
    return Judged(None, condition) if left.effects else _judge_rest(right.rest, condition, literals)


def _judge_first(condition: cst.BooleanOperation, left: Judged, right: bool, literals: Literals) -> Judged:  # noqa: FBT001 - a truth
    """The second operand is known; the first one is evaluated all the same."""
    if right is not isinstance(condition.operator, cst.Or):
        return _judge_rest(left.rest, condition, literals)
    return Judged(right, condition, () if literals.effects.is_harmless(left.rest) else (left.rest,))


def _judge_rest(rest: cst.BaseExpression, condition: cst.BaseExpression, literals: Literals) -> Judged:
    placed = literals.carry(rest, condition)
    known = literals.read(placed)
    return Judged(None if known is None else bool(known.value), placed)
