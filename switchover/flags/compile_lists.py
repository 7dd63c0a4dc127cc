"""The operators that evaluate an inner rule for each item of a list.

The item is all that the inner rule sees. What is no list counts as an empty one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

from switchover.flags.expression import Expression, Run, constant, truth_of
from switchover.flags.rule_site import CompileNode, Scope, Site

ListOperator = Callable[[Sequence[object], Scope, Site, CompileNode], Expression]


def _new_list() -> Expression:
    return Expression(lambda _scope: [], is_list=True)


def _compile_map(arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode) -> Expression:
    if not arguments:
        return _new_list()
    items = compile_node(arguments[0], scope, site).run
    inner = compile_node(arguments[1] if len(arguments) > 1 else None, Scope.ITEM, site).run

    def run(scope: object) -> list[object]:
        found = items(scope)
        return [inner(item) for item in found] if isinstance(found, list) else []

    return Expression(run, is_list=True)


def _compile_filter(arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode) -> Expression:
    if len(arguments) < 2:  # noqa: PLR2004 - a list and a test
        return _new_list()
    items = compile_node(arguments[0], scope, site).run
    test = truth_of(compile_node(arguments[1], Scope.ITEM, site))

    def run(scope: object) -> list[object]:
        found = items(scope)
        return [item for item in found if test(item)] if isinstance(found, list) else []

    return Expression(run, is_list=True)


def _compile_reduce(arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode) -> Expression:
    if not arguments:
        return constant(None)
    items = compile_node(arguments[0], scope, site).run
    inner = compile_node(arguments[1] if len(arguments) > 1 else None, Scope.ITEM, site).run
    # What it begins with is a value, not a rule.
    first = copy.deepcopy(arguments[2]) if len(arguments) > 2 else None  # noqa: PLR2004

    def run(scope: object) -> object:
        found = items(scope)
        if not isinstance(found, list):
            return first
        data = {"accumulator": first}
        for item in found:
            data["current"] = item
            data["accumulator"] = inner(data)
        return data["accumulator"]

    return Expression(run)


def _compile_quantifier(without_items: bool, judge: Callable[[list[Any], Run], bool]) -> ListOperator:  # noqa: FBT001
    def compile_quantifier(
        arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode
    ) -> Expression:
        if len(arguments) < 2:  # noqa: PLR2004 - a list and a test
            return constant(without_items)
        items = compile_node(arguments[0], scope, site).run
        test = truth_of(compile_node(arguments[1], Scope.ITEM, site))

        def run(scope: object) -> bool:
            found = items(scope)
            return judge(found, test) if isinstance(found, list) and found else without_items

        return Expression(run, test=run)

    return compile_quantifier


LISTS: Final[dict[str, ListOperator]] = {
    "map": _compile_map,
    "filter": _compile_filter,
    "reduce": _compile_reduce,
    "all": _compile_quantifier(False, lambda items, test: all(test(item) for item in items)),  # noqa: FBT003
    "some": _compile_quantifier(False, lambda items, test: any(test(item) for item in items)),  # noqa: FBT003
    "none": _compile_quantifier(True, lambda items, test: not any(test(item) for item in items)),  # noqa: FBT003
}
