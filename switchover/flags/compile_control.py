"""The operators that decide which of their arguments are evaluated, how often, and with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from switchover.flags.compile_lists import LISTS
from switchover.flags.conversions import to_bool
from switchover.flags.expression import Expression, Run, constant, truth_of
from switchover.flags.rule_site import CompileNode, Scope, Site

IF: Final = ("if", "?:")


@dataclass(frozen=True, slots=True)
class Branch:
    """What applies where `test` is true and no branch before applied; `test` is None for the last resort.

    `index` counts the branches as they are written.
    """

    index: int
    test: Run | None
    node: object


def compile_branches(arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode) -> list[Branch]:
    """The branches of an `if` that can be reached; the last one is a last resort (null where none is written)."""
    branches = []
    for index in range(len(arguments) // 2):
        condition, node = arguments[2 * index : 2 * index + 2]
        test = compile_node(condition, scope, site)
        if not test.is_constant:
            branches.append(Branch(index, truth_of(test), node))
        elif truth_of(test)(None):
            return [*branches, Branch(index, None, node)]
    last = arguments[-1] if len(arguments) % 2 else None
    return [*branches, Branch(len(arguments) // 2, None, last)]


def _compile_if(arguments: Sequence[object], scope: Scope, site: Site, compile_node: CompileNode) -> Expression:
    *branches, last = compile_branches(arguments, scope, site, compile_node)
    otherwise = compile_node(last.node, scope, site)
    if not branches:
        return otherwise
    thens = [compile_node(branch.node, scope, site) for branch in branches]
    tests = [branch.test or truth_of(constant(True)) for branch in branches]  # noqa: FBT003
    runs = list(zip(tests, [then.run for then in thens], strict=True))
    truths = list(zip(tests, [truth_of(then) for then in thens], strict=True))
    return Expression(_choose(runs, otherwise.run), test=_choose(truths, truth_of(otherwise)))


def _choose(branches: Sequence[tuple[Run, Run]], otherwise: Run) -> Run:
    if len(branches) == 1:
        ((test, then),) = branches
        return lambda scope: then(scope) if test(scope) else otherwise(scope)

    def choose(scope: object) -> Any:
        for test, then in branches:
            if test(scope):
                return then(scope)
        return otherwise(scope)

    return choose


def _compile_junction(
    stop_at: bool,  # noqa: FBT001 - the truth that decides: False for `and`, True for `or`
    arguments: Sequence[object],
    scope: Scope,
    site: Site,
    compile_node: CompileNode,
) -> Expression:
    parts: list[Expression] = []
    for position, argument in enumerate(arguments, 1):
        part = compile_node(argument, scope, site)
        if not part.is_constant:
            parts.append(part)
        elif truth_of(part)(None) is stop_at:
            parts.append(part)
            break
        elif position == len(arguments):
            parts.append(part)
    if not parts:
        return constant(None)
    if len(parts) == 1:
        return parts[0]
    return Expression(_join(stop_at, parts), test=_join_tests(stop_at, [truth_of(part) for part in parts]))


def _join(stop_at: bool, parts: Sequence[Expression]) -> Run:  # noqa: FBT001
    *firsts, last = [part.run for part in parts]

    def join(scope: object) -> Any:
        for run in firsts:
            value = run(scope)
            if to_bool(value) is stop_at:
                return value
        return last(scope)

    return join


def _join_tests(stop_at: bool, tests: Sequence[Run]) -> Run:  # noqa: FBT001
    if len(tests) == 2:  # noqa: PLR2004 - most junctions
        one, other = tests
        if stop_at:
            return lambda scope: one(scope) or other(scope)
        return lambda scope: one(scope) and other(scope)
    if stop_at:
        return lambda scope: any(test(scope) for test in tests)
    return lambda scope: all(test(scope) for test in tests)


CONTROL: Final[dict[str, Callable[[Sequence[object], Scope, Site, CompileNode], Expression]]] = {
    **dict.fromkeys(IF, _compile_if),
    "and": partial(_compile_junction, False),  # noqa: FBT003
    "or": partial(_compile_junction, True),  # noqa: FBT003
    **LISTS,
}
