"""Moving traffic by the weight of a canary Ingress of ingress-nginx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import INGRESS, KubeObject
from switchover.adapters.kube_router import RoutedService
from switchover.adapters.split_probes import DataPlane
from switchover.decide.canary_ingress import canary_name, first_host, read_split, uses_tls, weight_operations
from switchover.decide.route_obstacles import find_ingress_obstacles
from switchover.errors import TargetError
from switchover.model import Obstacle, Route, Step


class IngressNginxRoute:
    """The canary Ingress alone is changed, and in it the weight alone, which costs no reload and no connection.

    No Ingress says whether its controller has seen a change, so probes are the only proof.
    """

    kind = INGRESS

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    def object_name(self, name: str) -> str:
        """The canary Ingress."""
        return canary_name(name)

    def read_split(self, obj: KubeObject, routed: RoutedService) -> Route:
        """What the canary's annotations say."""
        return read_split(obj, routed.service)

    def make_operations(
        self, obj: KubeObject, routed: RoutedService, route: Route, epoch: int
    ) -> Sequence[Mapping[str, Any]]:
        """One annotation."""
        del epoch
        read_split(obj, routed.service)  # says what is wrong
        return weight_operations(obj, routed.service, route)

    def find_unaccepted(self, obj: KubeObject, routed: RoutedService, generation: int) -> tuple[str, ...]:
        """Nothing: an Ingress has no conditions."""
        del obj, routed, generation
        return ()

    def is_refused(self, obj: KubeObject, generation: int) -> bool:
        """Never, for the same reason."""
        del obj, generation
        return False

    def find_data_plane(self, obj: KubeObject, routed: RoutedService, address: str | None) -> DataPlane:
        """The address that the controller has written into the Ingress; `TargetError` while it has none."""
        tls = uses_tls(obj)
        if address is None:
            balancers = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
            said = next((each.get("ip") or each.get("hostname") for each in balancers), None)
            if said is None:
                raise TargetError(
                    f"Ingress {obj['metadata']['name']} has no address",
                    expected="status.loadBalancer, as its controller writes it",
                    found="none",
                    next_step="wait for ingress-nginx, or set `data_plane` to the host:port of its proxy",
                )
            address = f"{said}:{443 if tls else 80}"
        host = routed.host or first_host(obj) or address.rpartition(":")[0]
        return DataPlane(address, host.replace("*", "probe", 1), routed.health_path, tls=tls)

    def names_colours(self, obj: KubeObject, routed: RoutedService) -> bool:
        """No annotation does that; the service itself must."""
        del obj, routed
        return False

    def find_obstacles(self, routed: RoutedService, steps: tuple[Step, ...]) -> tuple[Obstacle, ...]:
        """Of both Ingresses. Any strategy will do, sticky sessions will not."""
        del steps
        primary = self._api.read(INGRESS, routed.name)
        canary = self._api.read(INGRESS, canary_name(routed.name))
        return find_ingress_obstacles(primary, canary, routed.service, routed.name, sticky=routed.sticky)
