"""How the shares of a split stand in a targeting.

To flagd a context without a targeting key is in no share, not even in one of 100 %. So where one variant has the
whole, that is written as a constant, which holds for every context in every evaluator and can be read back:

    {"if": [true, "on", "off"]}                                     all of it to the first of two
    {"if": [false, "on", "off"]}                                    all of it to the second
    {"if": [true, "on", {"fractional": [<by>, ["on", 1], ["off", 0]]}]}   with more to remember than two names
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from switchover.flags.rule_values import WHOLE
from switchover.flags.snapshot import Json

_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Shares:
    """Variants with their weights, in their order. `by`: what is hashed in the place of the targeting key."""

    weights: tuple[tuple[str, int], ...]
    by: Json = None

    @property
    def whole(self) -> str | None:
        """The variant that has all of the weight; None where several have some."""
        total = sum(weight for _, weight in self.weights)
        return next((variant for variant, weight in self.weights if weight == total), None)


def write_shares(shares: Shares) -> Json:
    """What leads to the variants in a targeting."""
    whole = shares.whole
    if whole is None:
        return spread(shares)
    match shares:
        case Shares(((only, _),), None):
            return only
        case Shares(((first, weight), (second, _)), None) if first != second:
            return {"if": [weight > 0, first, second]}
    return {"if": [True, whole, spread(shares)]}


def spread(shares: Shares) -> dict[str, Json]:
    """The shares by bucket: a context without one is in none of them."""
    written: list[Json] = [[variant, weight] for variant, weight in shares.weights]
    return {"fractional": written if shares.by is None else [shares.by, *written]}


def read_shares(node: object) -> Shares | None:
    """The shares that are written here, as a constant or spread; None for anything else."""
    constant = read_constant(node)
    return constant if constant is not None else read_spread(node)


def read_constant(node: object) -> Shares | None:
    """The shares that are written as a constant here."""
    match node:
        case {"if": [bool() as is_first, str() as first, str() as second], **rest} if not rest and first != second:
            return Shares(((first, WHOLE if is_first else 0), (second, 0 if is_first else WHOLE)))
        case {"if": [True, str() as whole, dict() as held], **rest} if not rest:
            shares = read_spread(held)
            return shares if shares is not None and shares.whole == whole else None
    return None


def read_spread(node: object) -> Shares | None:
    """The shares that are spread by bucket here."""
    fractions = node.get("fractional") if isinstance(node, dict) and len(node) == 1 else None
    if not isinstance(fractions, list) or not fractions:
        return None
    by = fractions[0] if isinstance(fractions[0], dict) else None
    read = []
    for share in fractions if by is None else fractions[1:]:
        if not isinstance(share, list) or not 1 <= len(share) <= _TWO or not isinstance(share[0], str):
            return None
        weight = share[1] if len(share) == _TWO else 1
        if type(weight) is not int or weight < 0:
            return None
        read.append((share[0], weight))
    return Shares(tuple(read), by) if any(weight for _, weight in read) else None
