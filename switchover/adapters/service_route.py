"""Moving all traffic at once by the selector of a Service, where there is no router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import ENDPOINT_SLICE, SERVICE, KubeObject
from switchover.adapters.kube_router import RoutedService
from switchover.adapters.split_probes import DataPlane
from switchover.decide.colour_names import colour_name
from switchover.decide.route_obstacles import find_stable_service_obstacles
from switchover.decide.stable_service import find_colour, read_split, ready_addresses, selector_operations
from switchover.errors import InputError
from switchover.model import Obstacle, Route, Step

_OF_SERVICE = "kubernetes.io/service-name"


class ServiceRoute:
    """The Service that callers use selects one colour. Nobody has a share, so it is never flipped under a split.

    Both colours are up when it changes: a node that learns late still sends to pods that answer.
    """

    kind = SERVICE

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    def object_name(self, name: str) -> str:
        """The Service."""
        return name

    def read_split(self, obj: KubeObject, routed: RoutedService) -> Route:
        """All for the colour in its selector."""
        del routed
        return read_split(obj)

    def make_operations(
        self, obj: KubeObject, routed: RoutedService, route: Route, epoch: int
    ) -> Sequence[Mapping[str, Any]]:
        """One label of the selector."""
        del routed, epoch
        return selector_operations(obj, route)

    def find_unaccepted(self, obj: KubeObject, routed: RoutedService, generation: int) -> tuple[str, ...]:
        """Whether the control plane has put exactly the colour's ready pods behind the Service."""
        del generation
        colour = find_colour(obj)
        if colour is None:
            return ("its selector names no colour",)
        behind = self._ready(str(obj["metadata"]["name"]))
        wanted = self._ready(colour_name(routed.service, colour))
        if behind == wanted:
            return ()
        return (f"behind it are {_join(behind)}, the ready pods of {colour} are {_join(wanted)}",)

    def is_refused(self, obj: KubeObject, generation: int) -> bool:
        """Never: a selector is taken or the write fails."""
        del obj, generation
        return False

    def find_data_plane(self, obj: KubeObject, routed: RoutedService, address: str | None) -> DataPlane:
        """The Service's own address, which is reached from inside the cluster only."""
        found = address or _cluster_address(obj)
        return DataPlane(found, routed.host or found.rpartition(":")[0], routed.health_path)

    def names_colours(self, obj: KubeObject, routed: RoutedService) -> bool:
        """No Service does that; the pods themselves must."""
        del obj, routed
        return False

    def find_obstacles(self, routed: RoutedService, steps: tuple[Step, ...]) -> tuple[Obstacle, ...]:
        """Of the Service, and of a strategy or sticky sessions that it cannot do."""
        stable = self._api.read(SERVICE, routed.name)
        return find_stable_service_obstacles(stable, routed.service, routed.name, steps, sticky=routed.sticky)

    def _ready(self, service: str) -> frozenset[str]:
        return ready_addresses(self._api.list(ENDPOINT_SLICE, {_OF_SERVICE: service}))


def _cluster_address(obj: KubeObject) -> str:
    spec = obj["spec"]
    address, ports = spec.get("clusterIP"), spec.get("ports") or ()
    if address in {None, "", "None"} or not ports:
        raise InputError(
            f"Service {obj['metadata']['name']} has no address of its own",
            expected="a clusterIP and a port that probes can use",
            found=f"clusterIP {address}",
            next_step='set `data_plane` to a host:port that leads to it, or `confirm = "control plane"`',
        )
    return f"[{address}]:{ports[0]['port']}" if ":" in address else f"{address}:{ports[0]['port']}"


def _join(addresses: frozenset[str]) -> str:
    return ", ".join(sorted(addresses)) or "none"
