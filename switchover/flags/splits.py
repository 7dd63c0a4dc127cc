"""Where a flag's rule spreads units by chance, and with which weights: what an experiment is judged by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from switchover.flags.additions import is_killed
from switchover.flags.shares import read_constant

_WEIGHTED = 2


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """The branch of the targeting that spreads (counted as `Resolution.rule` counts), and the weight of each variant.

    Who gets a variant by another branch (a named user, a kill) takes no part: chance did not choose it.
    """

    rule: int
    weights: Mapping[str, int]
    bucketed_by: object = field(default=None, compare=False)
    """The expression whose value decides; None: the flag's key and the targeting key."""

    def share(self, variant: str) -> float:
        """The part of the units, 0 to 1, that is given the variant."""
        return self.weights.get(variant, 0) / sum(self.weights.values())

    @property
    def is_by_unit(self) -> bool:
        """Whether each targeting key has a lot of its own, and does not share it with a company or a region."""
        return self.bucketed_by is None or "targetingKey" in json.dumps(self.bucketed_by)

    def spreads_like(self, other: RandomSplit) -> bool:
        """Whether both give each unit the same variant with the same chance."""
        names = {*self.weights, *other.weights}
        return self.bucketed_by == other.bucketed_by and all(self.share(name) == other.share(name) for name in names)


def find_split(flag: object) -> RandomSplit | None:
    """The only `fractional` that is a branch of the flag's targeting; None where there is none, or several.

    Of a killed flag it is the split that comes back when it is revived.
    """
    targeting = flag.get("targeting") if isinstance(flag, dict) else None
    if is_killed(flag):
        wrapped = _only_operator(targeting, "if")
        targeting = wrapped[-1] if isinstance(wrapped, list) and wrapped else None
    found = [
        RandomSplit(rule, weights, _bucketing(node))
        for rule, node in _branches(targeting)
        if (weights := _weights(node))
    ]
    return found[0] if len(found) == 1 else None


def _branches(node: object) -> Iterator[tuple[int, object]]:
    arguments = _only_operator(node, "if")
    if not isinstance(arguments, list):
        yield 0, node
        return
    if read_constant(node) is not None:
        yield int(arguments[0] is not True), node
        return
    for index in range(len(arguments) // 2):
        yield index, arguments[2 * index + 1]
    if len(arguments) % 2:
        yield len(arguments) // 2, arguments[-1]


def _weights(node: object) -> dict[str, int] | None:
    constant = read_constant(node)
    if constant is not None:
        return dict(constant.weights)
    fractions = _only_operator(node, "fractional")
    if not isinstance(fractions, list) or not fractions:
        return None
    weights: dict[str, int] = {}
    for fraction in fractions if isinstance(fractions[0], list) else fractions[1:]:
        if not isinstance(fraction, list) or not 1 <= len(fraction) <= _WEIGHTED or not isinstance(fraction[0], str):
            return None
        weight = fraction[1] if len(fraction) == _WEIGHTED else 1
        if isinstance(weight, bool) or not isinstance(weight, int):
            return None
        weights[fraction[0]] = weights.get(fraction[0], 0) + max(weight, 0)
    return weights if sum(weights.values()) > 0 else None


def _bucketing(node: object) -> object:
    fractions = _only_operator(node, "fractional")
    has_own = isinstance(fractions, list) and bool(fractions) and not isinstance(fractions[0], list)
    return fractions[0] if isinstance(fractions, list) and has_own else None


def _only_operator(node: object, name: str) -> object:
    return node.get(name) if isinstance(node, dict) and len(node) == 1 else None
