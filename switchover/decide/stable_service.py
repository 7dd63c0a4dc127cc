"""Reading and changing the selector of a Service that leads to one colour at a time, as a plain dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from switchover.decide.colour_names import LABEL_COLOUR
from switchover.errors import InputError
from switchover.model import WHOLE, Colour, Route

Json: TypeAlias = Mapping[str, Any]


def find_colour(service: Json) -> Colour | None:
    """The colour that a Service selects; None when its selector does not say."""
    said = (service.get("spec", {}).get("selector") or {}).get(LABEL_COLOUR)
    return Colour(said) if said in tuple(Colour) else None


def read_split(stable: Json) -> Route:
    """All or nothing; raise `InputError` when the selector names no colour."""
    colour = find_colour(stable)
    if colour is None:
        name = stable.get("metadata", {}).get("name")
        raise InputError(
            f"the selector of Service {name} matches both colours",
            expected=f"spec.selector with {LABEL_COLOUR}: blue or green",
            found=str(stable.get("spec", {}).get("selector") or "no selector"),
            next_step=f"add the label {LABEL_COLOUR} of the colour that has the traffic to its selector",
        )
    return Route.giving(colour, WHOLE)


def selector_operations(stable: Json, wanted: Route) -> list[dict[str, Any]]:
    """The JSON patch that selects the colour with the whole traffic; empty when it does.

    Raises `InputError` for a split: a selector cannot do that.
    """
    colour = next((colour for colour in Colour if wanted.percent(colour) == WHOLE), None)
    if colour is None:
        raise InputError(
            f"Service {stable.get('metadata', {}).get('name')} cannot split traffic",
            expected="the whole traffic for one colour",
            found=f"blue {wanted.blue_percent} %, green {wanted.green_percent} %",
            next_step='deploy with the strategy `instant`, or choose `route = "gateway"`',
        )
    if find_colour(stable) is colour:
        return []
    return [{"op": "add", "path": f"/spec/selector/{LABEL_COLOUR.replace('/', '~1')}", "value": str(colour)}]


def ready_addresses(slices: Iterable[Json]) -> frozenset[str]:
    """The addresses in EndpointSlices that get traffic; one without the condition `ready` counts as ready."""
    return frozenset(
        str(address)
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    )
