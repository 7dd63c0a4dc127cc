"""Whether what probes saw agrees with the split that was asked for.

Probes are answered by one colour or the other. A gateway that draws lots gives a binomial count; one that deals in
turn varies less, so the same bounds hold. 0 and 100 % are no matter of chance: one stray answer disproves them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from switchover.model import Colour, Route

ERROR_CHANCE = 1e-4
"""How likely one round of probes contradicts a split that is in force."""

MIN_PROBES = 100
MAX_PROBES = 2000


def count_probes(route: Route, error_chance: float = ERROR_CHANCE) -> int:
    """How many probes tell `route` from one that gives its smaller share nothing at all.

    With 0 or 100 % there is no smaller share; then a colour that still got 10 % would go unseen with a chance of
    less than 0.00003.
    """
    smaller = min(route.blue_percent, route.green_percent) / 100
    if smaller == 0:
        return MIN_PROBES
    needed = math.ceil(math.log(error_chance / 2) / math.log1p(-smaller))
    return max(MIN_PROBES, min(needed, MAX_PROBES))


def find_deviations(
    route: Route, answers: Mapping[Colour | None, int], error_chance: float = ERROR_CHANCE
) -> tuple[str, ...]:
    """What contradicts `route` in the answers per colour (None: an answer that names none); empty: they agree."""
    total = sum(answers.values())
    if total == 0:
        return ("no probe was answered",)
    nameless = answers.get(None, 0)
    if nameless:
        return (f"{nameless} of {total} answers name no colour",)
    green = answers.get(Colour.GREEN, 0)
    if _is_plausible(green, total, route.green_percent / 100, error_chance):
        return ()
    return (f"{green} of {total} probes were answered by green, which is to get {route.green_percent} %",)


def _is_plausible(hits: int, total: int, share: float, error_chance: float) -> bool:
    """Whether neither tail of the binomial distribution beyond `hits` is rarer than half the error chance."""
    if share in (0, 1):
        return hits == total * share
    at_most = math.fsum(_chance(count, total, share) for count in range(hits + 1))
    at_least = math.fsum(_chance(count, total, share) for count in range(hits, total + 1))
    return min(at_most, at_least) >= error_chance / 2


def _chance(hits: int, total: int, share: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)
    return math.exp(ways + hits * math.log(share) + (total - hits) * math.log1p(-share))
