"""A flag's targeting becomes one closure that ends in prebuilt answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchover.flags.choosing import Branches, Outcome, choose, guard
from switchover.flags.compile_control import IF, compile_branches
from switchover.flags.compile_expression import compile_node
from switchover.flags.compile_scoped import FLAGD
from switchover.flags.context import TARGETING_KEY, Context
from switchover.flags.expression import Expression, Run
from switchover.flags.flag_results import FlagResults
from switchover.flags.flag_set import Answer
from switchover.flags.resolution import ErrorCode, Resolution
from switchover.flags.rule_site import Scope, Site, WholeDataNeededError


def compile_targeting(rule: dict[str, object], results: FlagResults, clock: Callable[[], float]) -> Answer:
    """The closure of a rule. It never raises: what an operator cannot use is an answer with an error."""
    site = Site(results.key)
    try:
        branches = _compile_rule(rule, Scope.CONTEXT, site, results)
    except WholeDataNeededError:
        site = Site(results.key)
        run = choose(_compile_rule(rule, Scope.DATA, site, results))
        branches = [(None, Outcome(_with_data(run, results.key, clock)))]
    failed = results.failure(ErrorCode.GENERAL, "an operator of the targeting cannot use what it was given")
    unknown = failed
    if site.unknown:
        names = ", ".join(sorted(set(site.unknown)))
        unknown = results.failure(ErrorCode.PARSE_ERROR, f"the targeting has unknown operators: {names}")
    return guard(branches, failed, unknown)


def _with_data(run: Callable[[Any], Resolution], key: str, clock: Callable[[], float]) -> Answer:
    def answer(context: Context) -> Resolution:
        data = dict(context.attributes)
        data[FLAGD] = {"flagKey": key, "timestamp": int(clock())}
        data[TARGETING_KEY] = context.targeting_key
        return run(data)

    return answer


def _compile_rule(rule: dict[str, object], scope: Scope, site: Site, results: FlagResults) -> Branches:
    """A rule that is an `if` has its branches; any other is a single one, with the number 0."""
    branches = _read_if(rule, scope, site)
    if branches is None:
        return [(None, _compile_outcome(rule, 0, scope, site, results))]
    return [(test, _compile_outcome(node, index, scope, site, results)) for index, test, node in branches]


def _read_if(node: object, scope: Scope, site: Site) -> list[tuple[int, Run | None, object]] | None:
    if not isinstance(node, dict) or len(node) != 1:
        return None
    ((name, arguments),) = node.items()
    if name not in IF:
        return None
    members = arguments if isinstance(arguments, list) else [arguments]
    branches = compile_branches(members, scope, site, compile_node)
    return [(branch.index, branch.test, branch.node) for branch in branches]


def _compile_outcome(node: object, rule: int, scope: Scope, site: Site, results: FlagResults) -> Outcome:
    branches = _read_if(node, scope, site)
    if branches is None:
        return _end(compile_node(node, scope, site), rule, results)
    inner = [(test, _compile_outcome(nested, rule, scope, site, results)) for _, test, nested in branches]
    return inner[0][1] if len(inner) == 1 else Outcome(choose(inner))


def _end(expression: Expression, rule: int, results: FlagResults) -> Outcome:
    if expression.is_constant:
        fixed = results.of_result(rule, expression.value)
        return Outcome(lambda _scope: fixed, fixed)
    if expression.split is not None:
        answers = [results.of_result(rule, variant) for variant in expression.split.variants]
        return Outcome(expression.split.bind(answers, results.of_result(rule, None)))
    run, read = expression.run, results.reader(rule)
    return Outcome(lambda scope: read(run(scope)))
