"""When each effect on the cluster began and ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from switchover.model import Colour, Route
from switchover.operations.environment import EnvironmentPorts
from tests.operations.house import Wrapped


@dataclass(frozen=True, slots=True)
class Moment:
    """One effect: its name without the adapter's, its arguments, and when it was (seconds of the epoch)."""

    name: str
    arguments: tuple[object, ...]
    began: float
    ended: float


@dataclass(slots=True)
class Timeline:
    """All effects so far, in the order of their ends."""

    moments: list[Moment] = field(default_factory=list)

    def __call__(self, name: str, effect: Callable[..., object]) -> Callable[..., object]:
        """The effect, which is noted whether it succeeds or not."""

        def noted(*arguments: object, **more: object) -> object:
            began = time.time()
            try:
                return effect(*arguments, **more)
            finally:
                self.moments.append(Moment(name.rpartition(".")[2], arguments, began, time.time()))

        return noted

    def watch(self, ports: EnvironmentPorts) -> EnvironmentPorts:
        """The same ports, whose effects are noted."""
        return replace(
            ports,
            slots=Wrapped(ports.slots, {"start", "stop"}, self),  # type: ignore[arg-type]
            router=Wrapped(ports.router, {"set_route", "confirm_route"}, self),  # type: ignore[arg-type]
        )

    def first(self, name: str, since: float = 0.0) -> Moment | None:
        """The first effect of this name that began at that time or later."""
        found = (moment for moment in self.moments if moment.name == name and moment.began >= since)
        return min(found, key=lambda moment: moment.began, default=None)

    def first_share(self, colour: Colour) -> Moment | None:
        """When the colour was first given traffic."""
        return next((each for each in self.moments if each.name == "set_route" and _share(each, colour) > 0), None)

    def taken_back(self, colour: Colour) -> Moment | None:
        """When it was first given none, after it had some."""
        exposed = self.first_share(colour)
        later = (
            each
            for each in self.moments
            if exposed and each.name == "set_route" and each.began > exposed.began and _share(each, colour) == 0
        )
        return next(later, None)


def _share(moment: Moment, colour: Colour) -> int:
    route = moment.arguments[1]
    assert isinstance(route, Route)
    return route.percent(colour)
