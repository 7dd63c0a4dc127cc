"""The cases of the contracts of router and prober on Kubernetes: an emulated cluster and gateway, and real ones."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from switchover.adapters.kube_prober import KubeProber
from switchover.adapters.kube_router import KubeRouter, RoutedService, Sight
from switchover.adapters.kube_slots import KubeSlots
from switchover.adapters.route_kinds import choose_router
from switchover.model import Colour, Release
from tests.contracts.kube_case import ClusterCase, KubeCase, SlotsCase, cluster_facts, cluster_workload, kube_workload
from tests.fakes import FakeFence
from tests.kube_emulator import KubeEmulator
from tests.kube_fixtures import cluster_api
from tests.kube_gateway import KubeGateway, a_gateway, a_route, a_stable_service, ingresses
from tests.local_target_fixtures import ask

NAMES = {"gateway": "shop", "ingress-nginx": "shop", "service": "shop-stable"}


@dataclass(slots=True)
class RouteCase:
    """Both colours run from the beginning, and all traffic is on blue."""

    below: SlotsCase
    router: KubeRouter
    prober: KubeProber
    address: str
    host: str = "shop.example.com"

    @property
    def service(self) -> str:
        return self.below.service

    @property
    def fence(self) -> FakeFence:
        return self.below.fence

    @property
    def slots(self) -> KubeSlots:
        return self.below.slots

    @property
    def signals(self) -> NoReturn:
        raise NotImplementedError

    def publish(self, version: str) -> Release:
        return self.below.publish(version)

    def wait_ready(self, colour: Colour) -> None:
        self.below.wait_ready(colour)

    def send(self, requests: int, path: str) -> Counter[str]:
        answers = [ask(self.address, path, {"host": self.host}) for _ in range(requests)]
        return Counter(f"{answer.getheader('x-switchover-colour')} {answer.status}" for answer in answers)

    def log(self, colour: Colour, line: str) -> None:
        raise NotImplementedError


@dataclass(slots=True)
class KubeRouteCase(RouteCase):
    """On the emulator."""

    below: KubeCase
    gateway: KubeGateway = field(kw_only=True)

    def new_router(self, *, sticky: bool = False, **sight: float) -> KubeRouter:
        """What another process has, or another configuration."""
        routed = RoutedService("shop", NAMES[self.gateway.kind], sticky=sticky)
        seen = Sight(data_plane=self.gateway.address, **sight)  # type: ignore[arg-type]
        return choose_router(self.gateway.kind, self.below.api, self.below.kube_fence, {"shop": routed}, seen)


@contextmanager
def kube_route_case(emulator: KubeEmulator, kind: str = "gateway") -> Iterator[KubeRouteCase]:
    """With a route of this kind."""
    emulator.put(a_gateway(), a_route(), *ingresses(), a_stable_service())
    for colour in Colour:
        emulator.services[f"shop-{colour}"] = _answer
    api = emulator.api()
    below = KubeCase.on(emulator, api)
    with KubeGateway(emulator, kind, NAMES[kind]).serving() as gateway:
        for colour in Colour:
            below.slots.start(below.publish("0.9.0"), colour, kube_workload(), epoch=1)
            below.wait_ready(colour)
        routed, sight = RoutedService("shop", NAMES[kind]), Sight(data_plane=gateway.address)
        router = choose_router(kind, api, below.kube_fence, {"shop": routed}, sight)
        yield KubeRouteCase(below, router, KubeProber(api), gateway.address, gateway=gateway)
    api.close()


@contextmanager
def cluster_route_case() -> Iterator[RouteCase]:
    """On the real cluster, through its real gateway."""
    gateway = cluster_facts()["gateway"]
    with cluster_api() as api:
        below, host = ClusterCase(api), f"{api.namespace}.example.com"
        for colour in Colour:
            below.slots.start(below.publish("1.0.0"), colour, cluster_workload(), epoch=1)
        for colour in Colour:
            below.wait_ready(colour)
        parent = {"name": gateway["name"], "namespace": gateway["namespace"]}
        api.apply(a_route(parentRefs=[parent], hostnames=[host]))
        sight = Sight(data_plane=gateway["address"])
        router = choose_router("gateway", api, below.kube_fence, {"shop": RoutedService("shop", "shop")}, sight)
        yield RouteCase(below, router, KubeProber(api), gateway["address"], host)


def _answer(method: str, path: str, body: str) -> tuple[int, str]:
    """As `tiny_server.py` does."""
    del method, body
    if path.startswith("/slow"):
        time.sleep(float(path.rpartition("=")[2]))
    return (500, "failed") if path == "/fail" else (200, "well")
