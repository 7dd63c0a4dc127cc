"""Which colour is live: by what the target shows, held against what the ledger says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchover.errors import InputError
from switchover.model import WHOLE, Colour, Route, ServiceRecord, SlotStatus


@dataclass(frozen=True, slots=True)
class Live:
    """The colour that has the users and the version in it, both None: nobody is served."""

    colour: Colour | None = None
    version: str | None = None


def find_live(name: str, service: ServiceRecord, route: Route | None, statuses: Mapping[Colour, SlotStatus]) -> Live:
    """The live colour of a service without a rollout in flight; `route` None: the router does not say.

    What the ledger does not know yet and has traffic and ready replicas is live. Raises `InputError` when the
    target and the ledger disagree, or when two colours that the ledger does not know have traffic.
    """
    if service.live is not None:
        if route is not None and route.percent(service.live) != WHOLE and service.rollout is None:
            raise InputError(
                f"the route of {name} is not what the ledger says",
                expected=f"100 % on {service.live}",
                found=f"blue {route.blue_percent} %, green {route.green_percent} %: somebody changed it by hand",
                next_step=f"give {service.live} 100 % again, then repeat",
            )
        release = service.slot(service.live).release
        return Live(service.live, release.version if release else statuses[service.live].version or None)
    serving = [
        colour
        for colour, status in statuses.items()
        if status.ready_replicas and (route is None or route.percent(colour))
    ]
    if len(serving) > 1:
        raise InputError(
            f"it is not clear which colour of {name} is live",
            expected="one colour with traffic and ready replicas, the other one without",
            found="both have them, and the ledger knows neither",
            next_step="give one of them 100 % in the route, then repeat",
        )
    return Live(serving[0], statuses[serving[0]].version or None) if serving and service.rollout is None else Live()
