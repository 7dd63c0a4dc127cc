"""Targeting single users: branches before every other rule, whoever wrote that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from switchover.flags.context import TARGETING_KEY
from switchover.flags.rule_json import condition_of
from switchover.flags.rule_values import When
from switchover.flags.snapshot import Json

Pair: TypeAlias = "list[Json]"
"""A condition and what it leads to."""


def with_users(targeting: Json, users: Sequence[str], variant: str) -> Json:
    """The targeting with these users in a branch of the variant that comes first, and in no other for users."""
    pairs, rest = _taken_apart(targeting)
    own = next((index for index, pair in enumerate(pairs) if _is_leading(pairs, index) and pair[1] == variant), None)
    if own is None:
        pairs, own = [_pair([], variant), *pairs], 0
    already = _users_of(pairs[own]) or []
    joined = [*already, *(user for user in dict.fromkeys(users) if user not in set(already))]
    others = _without([pair for index, pair in enumerate(pairs) if index != own], users)
    mine = _pair(joined, variant)
    place = len(_without(pairs[:own], users))
    return _joined([*others[:place], mine, *others[place:]], rest)


def without_users(targeting: Json, users: Sequence[str]) -> Json:
    """The targeting with these users in no branch for users; None where nothing is left of it."""
    pairs, rest = _taken_apart(targeting)
    kept = _without(pairs, users)
    return targeting if kept == pairs else _joined(kept, rest)


def _is_leading(pairs: Sequence[Pair], index: int) -> bool:
    return all(_users_of(pair) is not None for pair in pairs[: index + 1])


def _without(pairs: Sequence[Pair], users: Sequence[str]) -> list[Pair]:
    gone = set(users)
    kept: list[Pair] = []
    for pair in pairs:
        listed = _users_of(pair)
        if listed is None or gone.isdisjoint(listed):
            kept.append(pair)
        elif left := [user for user in listed if user not in gone]:
            kept.append(_pair(left, pair[1]))
    return kept


def _pair(users: Sequence[str], result: Json) -> Pair:
    return [condition_of(When(TARGETING_KEY, "in", tuple(users))), result]


def _users_of(pair: Pair) -> list[str] | None:
    """The users of a branch for users; None for any other branch."""
    match pair[0]:
        case {"in": [{"var": name}, [*members]]} if name == TARGETING_KEY:
            users = [user for user in members if isinstance(user, str)]
            return users if pair[0] == condition_of(When(TARGETING_KEY, "in", tuple(users))) else None
    return None


def _taken_apart(targeting: Json) -> tuple[list[Pair], list[Json]]:
    """The branches of the targeting and what comes after them: one value, or nothing where there is no else."""
    branches = targeting.get("if") if isinstance(targeting, dict) and len(targeting) == 1 else None
    if not isinstance(branches, list) or not branches:
        return [], [targeting or None]
    even = len(branches) - len(branches) % 2
    return [branches[at : at + 2] for at in range(0, even, 2)], branches[even:]


def _joined(pairs: Sequence[Pair], rest: list[Json]) -> Json:
    if pairs:
        return {"if": [*(each for pair in pairs for each in pair), *rest]}
    if not rest or rest[0] is None:
        return None
    last = rest[0]
    # A constant and a reference may not stand as a targeting by themselves.
    return last if isinstance(last, dict) and "$ref" not in last else {"if": rest}
