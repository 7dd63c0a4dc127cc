"""Finding the one percentage in a flag's targeting, and changing it so that raising it takes nothing from anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from switchover.flags.change_refusals import refused
from switchover.flags.definition_mistakes import show
from switchover.flags.rule_json import IN, OUT, build_targeting, read_rule
from switchover.flags.rule_values import WHOLE, Rule, Split, in_percent
from switchover.flags.snapshot import Json

_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where the two shares stand in a targeting, the one that counts, and the weights. `last`: for everybody else."""

    path: tuple[str | int, ...]
    arm: int
    weights: tuple[int, int]
    last: bool

    @property
    def percent(self) -> float:
        """The share that counts, in percent."""
        return in_percent(self.weights[self.arm], sum(self.weights))


def find_percentage(targeting: Json, on: str) -> Place | None:
    """The percentage of variant `on`; None where there is none.

    Where there are several it is the one for those whom no branch speaks of; `InputError` where that cannot be said.
    """
    places = list(_in_result(targeting, on, (), last=True))
    chosen = [place for place in places if place.last] or places
    if len(chosen) > 1:
        raise refused(
            "the flag has several percentages",
            f"one percentage of {show(on)}",
            ", ".join(f"{place.percent:g} %" for place in chosen),
            "change the targeting by hand",
        )
    return chosen[0] if chosen else None


def with_percentage(targeting: Json, on: str, rest: str | None, weight: int) -> Json:
    """The targeting with this percentage (in hundredths) in the place of the one it has.

    A rule that has none gets a split for those whom no branch speaks of: `on`, and for the others what they had, or
    `rest` where that was `on` or the default variant.
    """
    place = find_percentage(targeting, on)
    if place is not None:
        return targeting if _is_already(place, weight) else _replaced(targeting, place, weight)
    rule = read_rule(targeting) if targeting else Rule()
    if rule is None or isinstance(rule.last, Split):
        raise refused(
            "the flag's targeting has no percentage to change",
            f"a rule of switchover.flags.rules, or a split of {show(on)} and one other variant",
            "a rule written by hand" if rule is None else "another split",
            "change the targeting by hand, or take it away first",
        )
    others = rule.last if rule.last not in {None, on} else rest
    if others is None:
        raise refused(
            "nobody has said what the others get",
            "a default variant, or a variant that is false",
            "neither",
            "set the flag's default variant first",
        )
    return build_targeting(Rule(rule.branches, Split(((on, weight), (others, WHOLE - weight)))))


def _is_already(place: Place, weight: int) -> bool:
    return place.weights[place.arm] * WHOLE == weight * sum(place.weights)


def _in_result(node: Json, on: str, path: tuple[str | int, ...], *, last: bool) -> Iterator[Place]:
    """The splits that the targeting can end in, and the percentages in the conditions of what ends in `on`."""
    if not isinstance(node, dict) or len(node) != 1:
        return
    branches = node.get("if")
    if not isinstance(branches, list):
        yield from _split(node, on, path, last=last)
        return
    end = len(branches) - 1
    for index, branch in enumerate(branches):
        here = (*path, "if", index)
        if index % 2 == 1 or index == end:
            yield from _in_result(branch, on, here, last=last and index == end and index % 2 == 0)
        elif branches[index + 1] == on:
            yield from _in_condition(branch, here)


def _in_condition(node: Json, path: tuple[str | int, ...]) -> Iterator[Place]:
    if not isinstance(node, dict) or len(node) != 1:
        return
    [(operator, arguments)] = node.items()
    if not isinstance(arguments, list):
        return
    if operator in {"and", "or"}:
        for index, argument in enumerate(arguments):
            yield from _in_condition(argument, (*path, operator, index))
    elif operator == "==" and len(arguments) == _TWO and arguments[1] == IN and isinstance(arguments[0], dict):
        yield from _split(arguments[0], IN, (*path, "==", 0), last=False)


def _split(node: dict[str, Json], on: str, path: tuple[str | int, ...], *, last: bool) -> Iterator[Place]:
    shares = node.get("fractional")
    if not isinstance(shares, list):
        return
    first = 1 if shares and isinstance(shares[0], dict) else 0
    names, weights = [], []
    for share in shares[first:]:
        if not isinstance(share, list) or not 1 <= len(share) <= _TWO or not isinstance(share[0], str):
            return
        weight = share[1] if len(share) == _TWO else 1
        if not isinstance(weight, int) or isinstance(weight, bool):
            return
        names.append(share[0])
        weights.append(weight)
    if len(names) == _TWO and names.count(on) == 1 and sum(weights) > 0 and (on != IN or OUT in names):
        yield Place((*path, "fractional"), names.index(on), (weights[0], weights[1]), last)


def _replaced(targeting: Json, place: Place, weight: int) -> Json:
    return _put(targeting, place.path, place.arm, weight)


def _put(node: Json, path: tuple[str | int, ...], arm: int, weight: int) -> Json:
    if not path:
        return _weighted(node, arm, weight)
    step, rest = path[0], path[1:]
    if isinstance(node, dict) and isinstance(step, str):
        return {**node, step: _put(node[step], rest, arm, weight)}
    if isinstance(node, list) and isinstance(step, int):
        return [_put(member, rest, arm, weight) if at == step else member for at, member in enumerate(node)]
    raise TypeError(path)


def _weighted(shares: Json, arm: int, weight: int) -> Json:
    """The two shares with new weights, in the order they had: each range grows or shrinks at its inner end alone."""
    if not isinstance(shares, list):
        raise TypeError(shares)
    first = len(shares) - _TWO
    weights = [WHOLE - weight, weight] if arm else [weight, WHOLE - weight]
    names = [share[0] if isinstance(share, list) else share for share in shares[first:]]
    return [*shares[:first], *([name, each] for name, each in zip(names, weights, strict=True))]
