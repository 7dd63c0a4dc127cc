"""Finding the one percentage in a flag's targeting, and changing it so that raising it takes nothing from anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from switchover.flags.change_refusals import refused
from switchover.flags.definition_mistakes import show
from switchover.flags.rule_json import IN, OUT, build_targeting, condition_of, read_rule
from switchover.flags.rule_values import WHOLE, Percentage, Rule, Split, in_percent
from switchover.flags.shares import Shares, read_shares, read_spread, spread, write_shares
from switchover.flags.snapshot import Json

_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where two shares stand in a targeting, and which of them counts.

    `is_condition`: they say who is in a branch, not what one gets. `last`: they are for everybody else.
    """

    path: tuple[str | int, ...]
    shares: Shares
    arm: int
    is_condition: bool = False
    last: bool = False

    @property
    def percent(self) -> float:
        """The share that counts, in percent."""
        weights = [weight for _, weight in self.shares.weights]
        return in_percent(weights[self.arm], sum(weights))

    def written(self, weight: int) -> Json:
        """What stands there with this weight (in hundredths of a percent).

        The shares keep their order: the range of each grows or shrinks at its inner end alone.
        """
        names = [variant for variant, _ in self.shares.weights]
        weights = [WHOLE - weight, weight] if self.arm else [weight, WHOLE - weight]
        shares = replace(self.shares, weights=tuple(zip(names, weights, strict=True)))
        return _write_condition(shares, weight) if self.is_condition else write_shares(shares)


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
        return targeting if _is_already(place, weight) else _put(targeting, place.path, place.written(weight))
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
    """Whether nothing is to be changed; everybody and nobody are written anew, since a share may stand for them."""
    weights = [each for _, each in place.shares.weights]
    return 0 < weight < WHOLE and weights[place.arm] * WHOLE == weight * sum(weights)


def _in_result(node: Json, on: str, path: tuple[str | int, ...], *, last: bool) -> Iterator[Place]:
    """The splits that the targeting can end in, and the percentages in the conditions of what ends in `on`."""
    shares = read_shares(node)
    if shares is not None:
        names = [variant for variant, _ in shares.weights]
        if len(names) == _TWO and names.count(on) == 1:
            yield Place(path, shares, names.index(on), last=last)
        return
    branches = node.get("if") if isinstance(node, dict) and len(node) == 1 else None
    if not isinstance(branches, list):
        return
    end = len(branches) - 1
    for index, branch in enumerate(branches):
        here = (*path, "if", index)
        if index % 2 == 1 or index == end:
            yield from _in_result(branch, on, here, last=last and index == end and index % 2 == 0)
        elif branches[index + 1] == on:
            yield from _in_condition(branch, here)


def _in_condition(node: Json, path: tuple[str | int, ...]) -> Iterator[Place]:
    shares = _read_condition(node)
    if shares is not None:
        names = [variant for variant, _ in shares.weights]
        yield Place(path, shares, names.index(IN), is_condition=True)
        return
    if not isinstance(node, dict) or len(node) != 1:
        return
    [(operator, arguments)] = node.items()
    if operator in {"and", "or"} and isinstance(arguments, list):
        for index, argument in enumerate(arguments):
            yield from _in_condition(argument, (*path, operator, index))


def _write_condition(shares: Shares, weight: int) -> Json:
    """As builders write it; everybody and nobody keep what a condition written by hand has more than that."""
    if shares.by is None and shares.weights[0][0] == IN:
        return condition_of(Percentage(weight))
    held: Json = {"==": [spread(shares), IN]}
    if 0 < weight < WHOLE:
        return held
    return {"or": [True, held]} if weight else {"and": [False, held]}


def _read_condition(node: Json) -> Shares | None:
    """The shares of those who are in and of those who are out."""
    match node:
        case bool():
            return Shares(((IN, WHOLE if node else 0), (OUT, 0 if node else WHOLE)))
        case {"==": [dict() as spread_out, "in"], **rest} if not rest:
            shares = read_spread(spread_out)
            names = [] if shares is None else [variant for variant, _ in shares.weights]
            return shares if sorted(names) == [IN, OUT] else None
        case {"or": [True, {"==": _} as held], **rest} if not rest:
            return _read_held(held, IN)
        case {"and": [False, {"==": _} as held], **rest} if not rest:
            return _read_held(held, OUT)
    return None


def _read_held(condition: Json, whole: str) -> Shares | None:
    shares = _read_condition(condition)
    return shares if shares is not None and shares.whole == whole else None


def _put(node: Json, path: tuple[str | int, ...], written: Json) -> Json:
    if not path:
        return written
    step, rest = path[0], path[1:]
    if isinstance(node, dict) and isinstance(step, str):
        return {**node, step: _put(node[step], rest, written)}
    if isinstance(node, list) and isinstance(step, int):
        return [_put(member, rest, written) if at == step else member for at, member in enumerate(node)]
    raise TypeError(path)
