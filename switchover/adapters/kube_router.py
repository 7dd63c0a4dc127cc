"""The port `Router` on Kubernetes: what every way of moving traffic has in common."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_fence import KubeFence, read_object_epoch
from switchover.adapters.kube_kinds import ENDPOINT_SLICE, Kind, KubeObject
from switchover.adapters.split_confirmation import confirm_by_probes, find_nameless, not_followed, say_split, unseen
from switchover.adapters.split_probes import DataPlane
from switchover.adapters.waiting import wait_until
from switchover.decide.colour_names import colour_name
from switchover.decide.kube_rights import Right
from switchover.decide.route_obstacles import find_kind_obstacle, find_naming_obstacle, find_reach_obstacle
from switchover.decide.stable_service import ready_addresses
from switchover.errors import FencedError, InputError, SwitchoverError, TargetError
from switchover.model import Colour, Obstacle, Route, Step

_ACCEPT_SECONDS = 10.0
_REFUSED_SECONDS = 2.0
_POLL_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class RoutedService:
    """A service and its route object. `host` None: the first that the object names."""

    service: str
    name: str
    host: str | None = None
    sticky: bool = False
    health_path: str = "/healthz"


@dataclass(frozen=True, slots=True)
class Sight:
    """How a split is seen, and how long it may take until it is.

    `probes` False: nothing is sent; `data_plane` None: the address is looked up.
    """

    probes: bool = True
    data_plane: str | None = None
    within_seconds: float = 5.0


class RouteKind(Protocol):
    """One way of moving traffic, on one kind of object; `name` is the one that the user has given it."""

    kind: Kind

    def object_name(self, name: str) -> str:
        """The object that carries the split."""

    def read_split(self, obj: KubeObject, routed: RoutedService) -> Route:
        """The split that it makes; `InputError` when it cannot make one."""

    def make_operations(
        self, obj: KubeObject, routed: RoutedService, route: Route, epoch: int
    ) -> Sequence[Mapping[str, Any]]:
        """The JSON patch to this split; empty when it is so. `InputError` for a split that it cannot make."""

    def find_unaccepted(self, obj: KubeObject, routed: RoutedService, generation: int) -> tuple[str, ...]:
        """Why the control plane has not accepted this generation; empty: it has."""

    def is_refused(self, obj: KubeObject, generation: int) -> bool:
        """Whether it has looked at this generation and said no."""

    def find_data_plane(self, obj: KubeObject, routed: RoutedService, address: str | None) -> DataPlane:
        """Where probes go; `address` is what the user has said."""

    def names_colours(self, obj: KubeObject, routed: RoutedService) -> bool:
        """Whether the object itself sees to it that answers name their colour."""

    def find_obstacles(self, routed: RoutedService, steps: tuple[Step, ...]) -> tuple[Obstacle, ...]:
        """What about the objects keeps a deployment from beginning."""


class KubeRouter:
    """Changes nothing but the split, under the fence, and believes it when control and data plane show it."""

    def __init__(
        self, api: KubeApi, fence: KubeFence, way: RouteKind, services: Mapping[str, RoutedService], sight: Sight
    ) -> None:
        self._api = api
        self._fence = fence
        self._way = way
        self._services = services
        self._sight = sight
        self._moved: set[tuple[str, Colour]] = set()

    def set_route(self, service: str, route: Route, *, epoch: int) -> None:
        """Patch the split and return when the control plane has accepted that very generation.

        A share rises only where endpoints are ready. Raises `FencedError`, `InputError` for an unknown service, a
        missing object or a split that it cannot make, and `TargetError` when the colour has no ready endpoint
        (nothing is changed) or the control plane does not accept it within 10 s (the split stays as asked for, so
        that a rollback holds as soon as the route is accepted again).
        """
        routed = self._require(service)

        def operations(obj: KubeObject) -> Sequence[Mapping[str, Any]]:
            made = self._way.make_operations(obj, routed, route, epoch)
            self._require_endpoints(routed, obj, route)
            return made

        name = self._way.object_name(routed.name)
        if self._api.read(self._way.kind, name) is None:
            raise self._missing(routed)
        written = self._fence.patch(self._way.kind, name, operations, epoch)
        self._moved |= {(service, colour) for colour in Colour if route.percent(colour) == 0}
        self._await_accepted(routed, written, epoch)

    def read_route(self, service: str) -> Route | None:
        """The split that the route object says; None without one, or without such a service."""
        routed = self._services.get(service)
        obj = None if routed is None else self._api.read(self._way.kind, self._way.object_name(routed.name))
        return None if routed is None or obj is None else self._way.read_split(obj, routed)

    def confirm_route(self, service: str, route: Route) -> Mapping[Colour, int]:
        """See that the object says this split and, by tagged probes, that the data plane makes it.

        0 and 100 % must hold for every probe of two rounds in a row, a split within the bounds of `decide.split`.
        A gateway counts each of them as a request. Raises `TargetError` when another split was seen all the time
        (5 s), `UnseenError` when no probe came through, `InputError` when answers do not name their colour.
        """
        routed = self._require(service)
        obj = self._read(routed)
        shown = self._way.read_split(obj, routed)
        if shown != route:
            raise not_followed(service, route, f"{self._way.kind} {routed.name} says {say_split(shown)}")
        if not self._sight.probes:
            return {}
        try:
            plane = self._way.find_data_plane(obj, routed, self._sight.data_plane)
        except (InputError, TargetError) as error:
            raise unseen(service, route, f"{error.problem.failed}: {error.problem.found}") from error
        return confirm_by_probes(plane, service, route, self._sight.within_seconds)

    def read_active_requests(self, service: str, colour: Colour) -> int:
        """1 while a colour that this process took off the route has endpoints: no gateway says how many it is.

        So a drain takes its whole time, whatever the gateway is; a colour without pods has nothing in flight.
        """
        if (service, colour) not in self._moved:
            return 0
        slices = self._api.list(ENDPOINT_SLICE, {"kubernetes.io/service-name": colour_name(service, colour)})
        return int(any(each.get("endpoints") for each in slices))

    def changed_object(self, service: str) -> Right:
        """The object that is changed, as a right to read it."""
        kind, name = self._way.kind, self._way.object_name(self._require(service).name)
        return Right("get", kind.group, kind.plural, name)

    def read_object(self, service: str) -> KubeObject | None:
        """The object that is changed, as it is now; None without one."""
        return self._api.read(self._way.kind, self.changed_object(service).name)

    def find_obstacles(self, service: str, steps: tuple[Step, ...]) -> tuple[Obstacle, ...]:
        """What about the route keeps a deployment from beginning, as far as can be seen before."""
        routed = self._require(service)
        if not self._api.has(self._way.kind):
            return (find_kind_obstacle(self._way.kind.api_version, self._way.kind.kind),)
        found = self._way.find_obstacles(routed, steps)
        return found or self._find_probe_obstacles(routed)

    def _find_probe_obstacles(self, routed: RoutedService) -> tuple[Obstacle, ...]:
        """Only asked while somebody is there to answer."""
        if not self._sight.probes or not any(self._read_ready(routed.service, colour) for colour in Colour):
            return ()
        obj = self._read(routed)
        place = f"{self._way.kind} {routed.name}"
        try:
            plane = self._way.find_data_plane(obj, routed, self._sight.data_plane)
            nameless = find_nameless(plane)
        except SwitchoverError as error:
            return (find_reach_obstacle(place, error),)
        if self._way.names_colours(obj, routed) or not nameless:
            return ()
        return (find_naming_obstacle(place, nameless),)

    def _await_accepted(self, routed: RoutedService, written: KubeObject, epoch: int) -> None:
        generation = int(written["metadata"].get("generation", 0))
        obj = written
        refused_since: float | None = None

        def decided() -> bool:
            nonlocal obj, refused_since
            if not self._way.find_unaccepted(obj, routed, generation):
                return True
            obj = self._read(routed)
            _require_ours(obj, epoch)
            refused = self._way.is_refused(obj, generation)
            refused_since = (refused_since or time.monotonic()) if refused else None
            # References to a Service that was made just now are refused for a moment.
            return refused_since is not None and time.monotonic() - refused_since > _REFUSED_SECONDS

        wait_until(decided, _ACCEPT_SECONDS, _POLL_SECONDS)
        troubles = self._way.find_unaccepted(obj, routed, generation)
        if troubles:
            raise TargetError(
                f"the route of {routed.service} is not accepted",
                expected=f"every gateway to have accepted generation {generation} of {self._way.kind} {routed.name}",
                found="; ".join(troubles),
                next_step="the split is written and holds once it is accepted; correct what is said, then repeat",
            )

    def _require_endpoints(self, routed: RoutedService, obj: KubeObject, route: Route) -> None:
        try:
            before: Route | None = self._way.read_split(obj, routed)
        except TargetError:
            before = None  # a route that contradicts itself is about to be mended
        for colour in Colour:
            rises = route.percent(colour) > (before.percent(colour) if before else 0)
            if rises and not self._read_ready(routed.service, colour):
                raise TargetError(
                    f"{colour} of {routed.service} cannot take {route.percent(colour)} % of the traffic",
                    expected=f"ready endpoints of Service {colour_name(routed.service, colour)}",
                    found="none",
                    next_step="see why its pods are not ready (`kubectl describe pods`), then repeat",
                )

    def _read_ready(self, service: str, colour: Colour) -> frozenset[str]:
        labels = {"kubernetes.io/service-name": colour_name(service, colour)}
        return ready_addresses(self._api.list(ENDPOINT_SLICE, labels))

    def _read(self, routed: RoutedService) -> KubeObject:
        obj = self._api.read(self._way.kind, self._way.object_name(routed.name))
        if obj is None:
            raise self._missing(routed)
        return obj

    def _require(self, service: str) -> RoutedService:
        if service not in self._services:
            raise InputError(
                f"no route is known for {service}",
                expected=f"a service of this environment: {', '.join(sorted(self._services)) or 'none is configured'}",
                found=service,
                next_step="correct the name, or add the service to the environment in switchover.toml",
            )
        return self._services[service]

    def _missing(self, routed: RoutedService) -> InputError:
        found = self._way.find_obstacles(routed, ())
        return InputError(
            f"{routed.service} has no {self._way.kind} {self._way.object_name(routed.name)}",
            expected=f"a route of the service in namespace {self._api.namespace}",
            found="none of that name",
            next_step=found[0].fix if found else "create it",
        )


def _require_ours(obj: KubeObject, epoch: int) -> None:
    found = read_object_epoch(obj)
    if found > epoch:
        raise FencedError(
            "the route was taken over",
            expected=f"epoch {epoch}",
            found=f"epoch {found}",
            next_step="nothing; the newer rollout or rollback decides",
        )
