"""One node of a rule (JsonLogic) becomes one closure.

What depends on nothing is computed here, once. The rest becomes closures over a scope: at the root of a rule the
`Context` itself, so that an attribute costs one look-up; where a rule asks for more than attributes by name, the
data as flagd defines them, made once per evaluation; inside `map` and its like, the item.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NoReturn

from switchover.flags.compile_control import CONTROL
from switchover.flags.compile_quick import choose_quick
from switchover.flags.compile_scoped import SCOPED
from switchover.flags.expression import SCALARS, Expression, Run, constant
from switchover.flags.operators import TESTS, Operator, find_operator
from switchover.flags.rule_site import Scope, Site


class UnknownOperatorError(ReferenceError):
    """A rule has come to an operator that nobody knows."""


def compile_node(node: object, scope: Scope, site: Site) -> Expression:
    """Compile any JSON: a list is a list of nodes, an object with one member an operator, all else a constant.

    Raises `WholeDataNeededError`, to be compiled again with another scope, and `RuleTooLargeError`.
    """
    site.count()
    if type(node) in SCALARS:
        return constant(node)
    if isinstance(node, list):
        return _compile_list(node, scope, site)
    if isinstance(node, dict) and len(node) == 1:
        ((name, members),) = node.items()
        return _compile_member(name, members if isinstance(members, list) else [members], scope, site)
    # Objects are compared by identity: two that are written down are two, also where an evaluator is shared.
    return constant(copy.deepcopy(node))


def _compile_member(name: str, arguments: Sequence[object], scope: Scope, site: Site) -> Expression:
    if name in CONTROL:
        return CONTROL[name](arguments, scope, site, compile_node)
    compiled = [compile_node(argument, scope, site) for argument in arguments]
    if name in SCOPED:
        return SCOPED[name](compiled, scope, site)
    operator = find_operator(name)
    if operator is not None:
        return _compile_operator(name, operator, compiled, scope)
    return _compile_unknown(name, compiled, site)


def _compile_list(nodes: list[object], scope: Scope, site: Site) -> Expression:
    """A list is one object throughout an evaluation; an inner rule has another one for each item."""
    if all(type(node) in SCALARS for node in nodes):
        # Lists of users may be long.
        return Expression(lambda _scope: list(nodes), is_list=True) if scope is Scope.ITEM else constant(list(nodes))
    items = [compile_node(node, scope, site) for node in nodes]
    if scope is not Scope.ITEM and all(item.is_constant for item in items):
        return constant([item.value for item in items])
    runs = [item.run for item in items]
    return Expression(lambda scope: [run(scope) for run in runs], is_list=True)


def _compile_operator(name: str, operator: Operator, arguments: Sequence[Expression], scope: Scope) -> Expression:
    if all(argument.is_constant for argument in arguments):
        folded = _fold(operator, [argument.value for argument in arguments], scope)
        if folded is not None:
            return folded
    run = choose_quick(name, arguments) or _call(operator, arguments)
    return Expression(run, test=run if name in TESTS else None)


def _fold(operator: Operator, values: Sequence[object], scope: Scope) -> Expression | None:
    """The constant result; None where it fails, which it then does at every evaluation."""
    try:
        value = operator(*values)
    except Exception:  # noqa: BLE001 - as the operators say
        return None
    # An inner rule is evaluated for each item, and gives each a list or a NaN of its own.
    own = isinstance(value, list) or value != value  # noqa: PLR0124 - NaN
    return None if own and scope is Scope.ITEM else constant(value)


def _call(operator: Operator, arguments: Sequence[Expression]) -> Run:
    runs = [argument.run for argument in arguments]
    if len(runs) == 1:
        (only,) = runs
        return lambda scope: operator(only(scope))
    if len(runs) == 2:  # noqa: PLR2004 - most operators
        one, other = runs
        if arguments[1].is_constant:
            value = arguments[1].value
            return lambda scope: operator(one(scope), value)
        return lambda scope: operator(one(scope), other(scope))
    return lambda scope: operator(*[run(scope) for run in runs])


def _compile_unknown(name: object, arguments: Sequence[Expression], site: Site) -> Expression:
    """An operator that nobody knows fails when it is reached, after its arguments."""
    site.unknown.append(str(name))
    first, dot, _ = str(name).partition(".")
    is_member = bool(dot) and (first in SCOPED or find_operator(first) is not None)

    def fail(scope: object) -> NoReturn:
        for argument in arguments:
            argument.run(scope)
        if is_member:
            raise TypeError(name)  # a known operator has no members
        raise UnknownOperatorError(name)

    return Expression(fail)
