"""Flags that ask for other flags: an answer is given only where each of them serves the wanted variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from switchover.flags.compile_flag import Draft
from switchover.flags.context import Context
from switchover.flags.flag_set import Answer, CompiledFlag, Flag
from switchover.flags.resolution import ErrorCode, Resolution

MAX_EVALUATIONS: Final = 1000
"""So many flags may be asked for one answer: prerequisites that share prerequisites multiply."""
MAX_DEPTH: Final = 50
"""So long may a chain be: a long one would not fit on the stack of an application."""


@dataclass(frozen=True, slots=True)
class Plan:
    """In which order to link flags, each after those that it asks for; `problems` are of flags that cannot ask."""

    order: list[str]
    problems: dict[str, str]


def plan_links(asked: Mapping[str, Iterable[str]]) -> Plan:
    """The plan for flags and the flags that each of them asks for."""
    needs = {key: {other for other in others if other in asked} for key, others in asked.items()}
    order = _peel(needs)
    left = {key: needs[key] - set(order) for key in needs.keys() - set(order)}
    # What merely asks for a circle is what nobody in it asks for: those peel off from the other side.
    after = _peel(_turn(left))
    circular = sorted(left.keys() - set(after))
    problems = dict.fromkeys(circular, "the flag asks for itself, over its prerequisites")
    order = [*circular, *order, *reversed(after)]
    return Plan(order, problems | _find_unusable(order, asked, problems))


def _find_unusable(
    order: Iterable[str], asked: Mapping[str, Iterable[str]], known: Mapping[str, str]
) -> dict[str, str]:
    problems: dict[str, str] = {}
    costs: dict[str, int] = {}
    depths: dict[str, int] = {}
    for key in order:
        costs[key] = depths[key] = 1
        others = () if key in known else tuple(asked[key])
        unknown = sorted(other for other in others if other not in asked)
        if unknown:
            problems[key] = f"the flag asks for flags that do not exist: {', '.join(unknown)}"
            continue
        cost, depth = (
            sum((costs[other] for other in others), 1),
            max((depths[other] for other in others), default=0) + 1,
        )
        if cost > MAX_EVALUATIONS or depth > MAX_DEPTH:
            problems[key] = f"the flag needs answers of {cost} flags, in a chain of {depth}"
        else:
            costs[key], depths[key] = cost, depth
    return problems


def _peel(needs: Mapping[str, set[str]]) -> list[str]:
    """Take away what needs nothing any more, as long as there is something."""
    users = _turn(needs)
    open_needs = {key: len(others) for key, others in needs.items()}
    peeled = [key for key, count in open_needs.items() if not count]
    for key in peeled:
        for user in users[key]:
            open_needs[user] -= 1
            if not open_needs[user]:
                peeled.append(user)
    return peeled


def _turn(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {key: set() for key in needs}
    for key, others in needs.items():
        for other in others:
            users[other].add(key)
    return users


def finish(draft: Draft, needs: Mapping[str, Flag], problem: str | None) -> CompiledFlag:
    """The flag, which checks its prerequisites before it answers; `needs` are the flags that it asks for.

    With a problem it answers an error, unless it is broken or switched off anyway.
    """
    if not draft.prerequisites:
        return _finish(draft, draft.answer)
    if problem is None and not draft.prerequisites.keys() <= needs.keys():
        problem = "the flag has prerequisites that stand in an evaluator"
    if problem is not None:
        fixed = draft.results.failure(ErrorCode.PARSE_ERROR, problem)
        return CompiledFlag(draft.results.key, lambda _context: fixed, (fixed,))
    checks = [(needs[other].answer, variant) for other, variant in draft.prerequisites.items()]
    failed, answer = draft.results.prerequisite_failed(draft.off), draft.answer

    def answer_after_others(context: Context) -> Resolution:
        for ask, variant in checks:
            if ask(context).variant != variant:
                return failed
        return answer(context)

    return _finish(draft, answer_after_others)


def _finish(draft: Draft, answer: Answer) -> CompiledFlag:
    return CompiledFlag(draft.results.key, answer, tuple(draft.results.made.values()))
