"""Which way of moving traffic stands behind which word of switchover.toml. Adding one is its file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from switchover.adapters.gateway_route import GatewayRoute
from switchover.adapters.ingress_nginx_route import IngressNginxRoute
from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_router import KubeRouter, RoutedService, RouteKind, Sight
from switchover.adapters.service_route import ServiceRoute
from switchover.errors import InputError

ROUTE_KINDS: Mapping[str, Callable[[KubeApi], RouteKind]] = {
    "gateway": GatewayRoute,
    "ingress-nginx": IngressNginxRoute,
    "service": ServiceRoute,
}


def choose_router(
    kind: str, api: KubeApi, fence: KubeFence, services: Mapping[str, RoutedService], sight: Sight
) -> KubeRouter:
    """The router for `kubernetes.route`; `InputError` for a word that nobody knows."""
    if kind not in ROUTE_KINDS:
        raise InputError(
            f"there is no route of the kind {kind!r}",
            expected=", ".join(ROUTE_KINDS),
            found=kind,
            next_step="correct `route` in the environment's section `kubernetes`",
        )
    return KubeRouter(api, fence, ROUTE_KINDS[kind](api), services, sight)
