"""What evaluating an expression does besides giving a value: whether it may be left out."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node

from switchover.adapters.flag_calls import METHODS, Asks
from switchover.adapters.flag_receivers import CLIENTS, Receivers

# Calls that only make a value, whatever they are given, and those that do so only of what is written out:
# an iterator would be used up, and a text may be no number.
_MAKERS = frozenset({"bool", "len", "partial", "str"})
_MAKERS_OF_LITERALS = frozenset({"dict", "float", "frozenset", "int", "list", "tuple"})
_CONTEXTS = frozenset({"Context", "EvaluationContext"})
_HARMLESS = (
    cst.Name,
    cst.Attribute,
    cst.BaseNumber,
    cst.SimpleString,
    cst.ConcatenatedString,
    cst.FormattedString,
    cst.Tuple,
    cst.List,
    cst.Set,
    cst.Dict,
    cst.UnaryOperation,
    cst.BinaryOperation,
    cst.BooleanOperation,
    cst.Comparison,
    cst.IfExp,
    cst.Ellipsis,
)
# What mostly gives a value, and otherwise an error: of importance where somebody waits for it.
_FRAGILE = (cst.Attribute, cst.BinaryOperation)
_STEADY = (cst.Equal, cst.NotEqual, cst.Is, cst.IsNot)
# `/ 0`, and the operators that libraries give a meaning of their own.
_RISKY = (
    cst.Divide, cst.FloorDivide, cst.Modulo, cst.Power, cst.LeftShift, cst.RightShift, cst.MatrixMultiply
)  # fmt: skip
_SWALLOWS = re.compile(r"suppress|raises|ignor|catch|swallow|attempt|retry", re.IGNORECASE)


@dataclass(slots=True)
class Effects:
    """Judges the expressions of one module. `guards` counts what around them would catch an error of theirs."""

    receivers: Receivers
    guards: int = 0

    def is_harmless(self, expression: cst.CSTNode) -> bool:
        """Whether evaluating it does nothing but to give a value: names, literals, operators, the making of contexts.

        Attributes and most operators are taken to be what they mostly are: without effects, and without errors but
        where these would be caught. Items and divisions may always fail, and something may wait for that.
        """
        if isinstance(expression, cst.Lambda):
            return True
        if isinstance(expression, cst.Call):
            return self._makes_a_value(expression)
        if isinstance(expression, cst.BaseExpression) and not isinstance(expression, _HARMLESS):
            return False
        if isinstance(expression, cst.BinaryOperation) and isinstance(expression.operator, _RISKY):
            return False
        if self.guards and (isinstance(expression, _FRAGILE) or _orders(expression)):
            return False
        return all(self.is_harmless(child) for child in expression.children)

    def is_harmless_receiver(self, expression: cst.BaseExpression) -> bool:
        """The same for what a question is put to: a client is where it is looked for."""
        return _is_dotted(expression) or self.is_harmless(expression)

    def _makes_a_value(self, call: cst.Call) -> bool:
        arguments = [argument.value for argument in call.args]
        name = get_full_name_for_node(call.func) if _is_dotted(call.func) else None
        if any(argument.star for argument in call.args):
            return False
        if name in _MAKERS_OF_LITERALS:
            return all(_is_literal(each) for each in arguments)
        known = name in _MAKERS or name in CLIENTS
        if name == "len" and self.guards:
            return False
        if isinstance(call.func, cst.Attribute) and self._is_question(call.func):
            known = self.is_harmless_receiver(call.func.value)
        elif not known:
            known = _begins_with_a_context(call) and (_is_dotted(call.func) or self.is_harmless(call.func))
        return known and all(self.is_harmless(each) for each in arguments)

    def _is_question(self, function: cst.Attribute) -> bool:
        """Whether it surely asks for a flag, and calls nothing."""
        method = METHODS.get(function.attr.value)
        if method is None or method.asks is Asks.BRANCH:
            return False
        code = cst.Module([]).code_for_node(function.value)
        return not method.common or self.receivers.is_client(ast.parse(f"({code})", mode="eval").body)


def catches(node: cst.CSTNode) -> bool:
    """Whether an error of a simple expression in the body of this statement may end there."""
    if isinstance(node, cst.Try | cst.TryStar):
        return any(handler.type is None or _may_catch(handler.type) for handler in node.handlers)
    if isinstance(node, cst.With):
        calls = (item.item.func for item in node.items if isinstance(item.item, cst.Call))
        return any(_SWALLOWS.search(_last_name(each)) for each in calls)
    return False


def _may_catch(caught: cst.BaseExpression) -> bool:
    """Everything may but an error that a program names itself."""
    if isinstance(caught, cst.Tuple):
        return any(_may_catch(each.value) for each in caught.elements)
    name = _last_name(caught)
    return hasattr(builtins, name) or not name.endswith(("Error", "Exception"))


def _last_name(node: cst.CSTNode) -> str:
    return (get_full_name_for_node(node) or "").rpartition(".")[2]


def _orders(expression: cst.CSTNode) -> bool:
    return isinstance(expression, cst.Comparison) and not all(
        isinstance(each.operator, _STEADY) for each in expression.comparisons
    )


def _is_dotted(expression: cst.BaseExpression) -> bool:
    while isinstance(expression, cst.Attribute):
        expression = expression.value
    return isinstance(expression, cst.Name)


def _is_literal(expression: cst.BaseExpression) -> bool:
    try:
        ast.literal_eval(cst.Module([]).code_for_node(expression))
    except (ValueError, SyntaxError, TypeError):
        return False
    return True


def _begins_with_a_context(call: cst.Call) -> bool:
    """`Context(…)`, `ldclient.Context.create(…)`, `Context.builder(…).set(…).build()`."""
    node: cst.CSTNode = call
    while isinstance(node, cst.Call | cst.Attribute):
        if isinstance(node, cst.Call):
            node = node.func
        elif node.attr.value in _CONTEXTS:
            return True
        else:
            node = node.value
    return isinstance(node, cst.Name) and node.value in _CONTEXTS
