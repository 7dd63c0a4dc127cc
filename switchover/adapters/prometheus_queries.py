"""What is asked of Prometheus: a `QuerySet` of raw counters, and how its placeholders are filled.

`slow` is what a bucket of a histogram does not hold. Buckets stand at fixed bounds, so a request counts as slow from
the highest bound on that is not above the latency budget: rather too strict than blind. `fits_budget` says when that
bound is too far off to be what the budget meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchover.decide.colour_names import colour_name
from switchover.model import Colour

_FARTHEST = 1.25  # a budget up to so many times a bound is still that bound's
_LARGEST_PLAIN = 1_000_000


@dataclass(frozen=True, slots=True)
class QuerySet:
    """PromQL with the placeholders of `fill`.

    `requests`, `errors` and `slow` are cumulative counts, one series per process that counts, the three with the same
    labels: a replica of the gateway that starts again is then seen as that. `taken` is the time of the last sample of
    each series that counts a colour, `newest` of all of them. `throttled` is above 0 where more CPU is wanted than
    allowed; its label `pod` says by whom. `unit` is what the queries measure time in, in milliseconds; `bounds` are the
    bounds of the buckets in it, rising, and empty where nothing is known of them.
    """

    requests: str
    errors: str
    slow: str
    taken: str
    throttled: str
    unit: float = 1.0
    bounds: tuple[float, ...] = ()

    @property
    def newest(self) -> str:
        """When a colour was counted last."""
        return f"max({self.taken})"


@dataclass(frozen=True, slots=True)
class Place:
    """What a query is about: `route` is the name of the service's route object."""

    namespace: str
    service: str
    colour: Colour
    route: str
    budget_ms: int

    @property
    def workload(self) -> str:
        """The name of the colour's Service and Deployment."""
        return colour_name(self.service, self.colour)


def fill(query: str, queries: QuerySet, place: Place) -> str:
    """The query with {namespace}, {workload}, {route}, {budget}, and {bound}: a regular expression for `le`."""
    values = {
        "namespace": place.namespace,
        "workload": place.workload,
        "route": place.route,
        "budget": _as_number(place.budget_ms / queries.unit),
        "bound": _as_pattern(choose_bound(queries, place.budget_ms)),
    }
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda found: values[found[1]], query)


def choose_bound(queries: QuerySet, budget_ms: int) -> float:
    """The highest bound that is not above the budget, or the lowest one there is; without bounds the budget."""
    budget = budget_ms / queries.unit
    if not queries.bounds:
        return budget
    return max((bound for bound in queries.bounds if bound <= budget), default=queries.bounds[0])


def fits_budget(queries: QuerySet, budget_ms: int) -> bool:
    """Whether a bound is at the budget, or below it by no more than a fifth."""
    bound = choose_bound(queries, budget_ms)
    return bound <= budget_ms / queries.unit <= bound * _FARTHEST


def near_budgets(queries: QuerySet, budget_ms: int) -> tuple[int, ...]:
    """The budgets in whole milliseconds that have a bound of their own, next to this one: one below, one above."""
    exact = [round(bound * queries.unit) for bound in queries.bounds if bound * queries.unit >= 1]
    return (*[one for one in exact if one <= budget_ms][-1:], *[one for one in exact if one > budget_ms][:1])


def _as_number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and value < _LARGEST_PLAIN else f"{value:g}"


def _as_pattern(bound: float) -> str:
    # Prometheus 3 writes "500.0" where others leave the gateway's own "500".
    text = _as_number(bound)
    return text.replace(".", "[.]") if "." in text else f"{text}([.]0)?"
