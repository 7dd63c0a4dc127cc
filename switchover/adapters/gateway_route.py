"""Moving traffic by the weights of a Gateway API HTTPRoute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import GATEWAY, HTTP_ROUTE, SERVICE, KubeObject
from switchover.adapters.kube_router import RoutedService
from switchover.adapters.split_probes import DataPlane
from switchover.adapters.waiting import wait_until
from switchover.decide.colour_names import colour_name
from switchover.decide.gateways import find_address, find_listener, listener_uses_tls
from switchover.decide.http_routes import (
    find_unaccepted,
    is_refused,
    names_colours,
    probe_path,
    read_split,
    traffic_rules,
    weight_operations,
)
from switchover.decide.route_obstacles import (
    find_acceptance_obstacles,
    find_gateway_obstacles,
    find_http_route_obstacles,
)
from switchover.decide.sticky_sessions import sticky_operations
from switchover.errors import InputError, TargetError
from switchover.model import Colour, Obstacle, Route, Step

_SETTLE_SECONDS = 2.0
_POLL_SECONDS = 0.1


class GatewayRoute:
    """The user's own HTTPRoute. Only weights are changed and, with sticky sessions, what belongs to their cookie."""

    kind = HTTP_ROUTE

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    def object_name(self, name: str) -> str:
        """The HTTPRoute."""
        return name

    def read_split(self, obj: KubeObject, routed: RoutedService) -> Route:
        """What all rules with both colours agree on."""
        return read_split(obj, routed.service)

    def make_operations(
        self, obj: KubeObject, routed: RoutedService, route: Route, epoch: int
    ) -> Sequence[Mapping[str, Any]]:
        """Weights first; then cookies, or what is left of them from a time when they were wanted."""
        if not traffic_rules(obj, routed.service):
            read_split(obj, routed.service)  # says what is missing
        wanted = route if routed.sticky else Route.giving(Colour.BLUE, 100)
        return [
            *weight_operations(obj, routed.service, route),
            *sticky_operations(obj, routed.service, wanted, epoch),
        ]

    def find_unaccepted(self, obj: KubeObject, routed: RoutedService, generation: int) -> tuple[str, ...]:
        """What the route's status says of every parentRef."""
        del routed
        return find_unaccepted(obj, generation)

    def is_refused(self, obj: KubeObject, generation: int) -> bool:
        """Whether a condition of this generation is a no."""
        return is_refused(obj, generation)

    def find_data_plane(self, obj: KubeObject, routed: RoutedService, address: str | None) -> DataPlane:
        """The listener of the first Gateway that the route is attached to.

        Raises `TargetError` while that has no address, `InputError` when we may not read it and it is needed.
        """
        parent = _first_gateway(obj)
        try:
            gateway = self._read_gateway(parent)
        except InputError:
            if address is None:
                raise
            gateway = None
        listener = find_listener(gateway, parent)
        found = address or find_address(gateway, listener)
        if found is None:
            raise TargetError(
                f"Gateway {parent['name']} has no address",
                expected="status.addresses, as its controller writes them",
                found="none",
                next_step="wait for its controller, or set `data_plane` to the host:port of the gateway",
            )
        named = [*(obj["spec"].get("hostnames") or ()), *filter(None, [(listener or {}).get("hostname")])]
        host = routed.host or str(next(iter(named), found.rpartition(":")[0])).replace("*", "probe", 1)
        path = probe_path(obj, routed.service, routed.health_path)
        return DataPlane(found, host, path, tls=listener_uses_tls(listener))

    def names_colours(self, obj: KubeObject, routed: RoutedService) -> bool:
        """Whether every backend of the rules with traffic sets the header."""
        return names_colours(obj, routed.service)

    def find_obstacles(self, routed: RoutedService, steps: tuple[Step, ...]) -> tuple[Obstacle, ...]:
        """Of the route, then of its gateways, then of what they say of it. Any strategy will do."""
        del steps
        obj = self._api.read(HTTP_ROUTE, routed.name)
        found = find_http_route_obstacles(obj, routed.service, routed.name, sticky=routed.sticky)
        if found or obj is None:
            return found
        for parent in obj["spec"].get("parentRefs") or ():
            found += self._find_gateway_obstacles(parent)
        if found:
            return found
        services = [self._api.read(SERVICE, colour_name(routed.service, colour)) for colour in Colour]
        complete = None not in services
        # Whoever has just applied the route may deploy at once.
        wait_until(lambda: not self._find_unaccepted(routed, complete=complete), _SETTLE_SECONDS, _POLL_SECONDS)
        return self._find_unaccepted(routed, complete=complete)

    def _find_unaccepted(self, routed: RoutedService, *, complete: bool) -> tuple[Obstacle, ...]:
        obj = self._api.read(HTTP_ROUTE, routed.name)
        return () if obj is None else find_acceptance_obstacles(obj, complete=complete)

    def _find_gateway_obstacles(self, parent: KubeObject) -> tuple[Obstacle, ...]:
        if parent.get("kind", "Gateway") != "Gateway":
            return ()  # a mesh; its word is in the route's status
        try:
            gateway = self._read_gateway(parent)
        except InputError:
            return ()  # somebody else's namespace: then too the route's status must do
        return find_gateway_obstacles(gateway, f"Gateway {parent['name']}")

    def _read_gateway(self, parent: KubeObject) -> KubeObject | None:
        return self._api.read(GATEWAY, str(parent["name"]), namespace=parent.get("namespace"))


def _first_gateway(obj: KubeObject) -> KubeObject:
    parents: list[KubeObject] = obj["spec"].get("parentRefs") or []
    found = next((each for each in parents if each.get("kind", "Gateway") == "Gateway"), None)
    if found is None:
        raise InputError(
            f"HTTPRoute {obj['metadata']['name']} belongs to no Gateway",
            expected="spec.parentRefs with a Gateway, for probes to go through",
            found=str(parents or "nothing"),
            next_step='name the Gateway there, or set `confirm = "control plane"`',
        )
    return found
