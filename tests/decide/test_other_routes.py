from __future__ import annotations

from typing import Any

import jsonpatch
import pytest

from switchover.decide import canary_ingress, stable_service
from switchover.decide.gateways import find_address, find_listener, listener_uses_tls
from switchover.decide.route_obstacles import (
    find_acceptance_obstacles,
    find_gateway_obstacles,
    find_http_route_obstacles,
    find_ingress_obstacles,
    find_stable_service_obstacles,
)
from switchover.errors import InputError
from switchover.model import Colour, Obstacle, Route, Step
from tests.kube_gateway import a_gateway, a_route, a_stable_service, backends, ingresses


def one(obstacles: tuple[Obstacle, ...]) -> str:
    (obstacle,) = obstacles
    assert obstacle.fix
    return str(obstacle)


# --- ingress-nginx


@pytest.mark.parametrize("green", [0, 1, 50, 100])
def test_only_the_weight_of_the_canary_changes(green: int) -> None:
    _, canary = ingresses(7)
    wanted = Route(100 - green, green)
    patched = jsonpatch.apply_patch(canary, canary_ingress.weight_operations(canary, "shop", wanted))
    assert canary_ingress.read_split(patched, "shop") == wanted
    assert not canary_ingress.weight_operations(patched, "shop", wanted)
    patched["metadata"]["annotations"][canary_ingress.WEIGHT] = "7"
    assert patched == canary


def test_a_canary_may_lead_to_blue_and_count_in_thousands() -> None:
    primary, canary = ingresses()
    primary["spec"], canary["spec"] = canary["spec"], primary["spec"]
    canary["metadata"]["annotations"] |= {canary_ingress.TOTAL: "1000", canary_ingress.WEIGHT: "100"}
    assert canary_ingress.read_split(canary, "shop") == Route(10, 90)
    (operation,) = canary_ingress.weight_operations(canary, "shop", Route(50, 50))
    assert operation["value"] == "500"
    assert not find_ingress_obstacles(primary, canary, "shop", "shop", sticky=False)


def test_a_canary_that_is_switched_off_has_no_share() -> None:
    _, canary = ingresses(50)
    canary["metadata"]["annotations"][canary_ingress.CANARY] = "false"
    assert canary_ingress.read_split(canary, "shop") == Route(100, 0)


def test_an_ingress_that_leads_elsewhere_is_no_split() -> None:
    _, canary = ingresses()
    canary["spec"]["defaultBackend"] = {"service": {"name": "shop-blue"}}
    with pytest.raises(InputError, match="shop-green, shop-blue"):
        canary_ingress.read_split(canary, "shop")


def test_what_is_wrong_with_the_pair_is_named() -> None:
    primary, canary = ingresses()
    assert not find_ingress_obstacles(primary, canary, "shop", "shop", sticky=False)
    assert "Ingress shop-canary: " in one(find_ingress_obstacles(primary, None, "shop", "shop", sticky=False))
    assert len(find_ingress_obstacles(None, None, "shop", "shop", sticky=False)) == 2
    assert "cookie" in one(find_ingress_obstacles(primary, canary, "shop", "shop", sticky=True))
    same = {**canary, "spec": primary["spec"]}
    assert "expected shop-green" in one(find_ingress_obstacles(primary, same, "shop", "shop", sticky=False))
    without = {**primary, "metadata": {"name": "shop"}}
    said = one(find_ingress_obstacles(without, canary, "shop", "shop", sticky=False))
    assert "metadata.annotations[nginx.ingress.kubernetes.io/service-upstream]" in said


# --- a Service's selector


def test_a_selector_names_one_colour_and_nothing_else_of_it_changes() -> None:
    stable = a_stable_service()
    assert stable_service.read_split(stable) == Route(100, 0)
    patched = jsonpatch.apply_patch(stable, stable_service.selector_operations(stable, Route(0, 100)))
    assert patched == a_stable_service("green")
    assert not stable_service.selector_operations(patched, Route(0, 100))


def test_a_selector_cannot_split() -> None:
    with pytest.raises(InputError, match="instant"):
        stable_service.selector_operations(a_stable_service(), Route(90, 10))


def test_what_is_wrong_with_a_stable_service_is_named() -> None:
    def find(stable: dict[str, Any] | None, name: str = "shop-stable", *shares: int, sticky: bool = False) -> str:
        return one(
            find_stable_service_obstacles(stable, "shop", name, tuple(Step(s, 1) for s in shares), sticky=sticky)
        )

    assert not find_stable_service_obstacles(a_stable_service(), "shop", "shop-stable", (Step(100, 1),), sticky=False)
    assert "a step with 10 %" in find(a_stable_service(), "shop-stable", 10, 100)
    assert "none of that name" in find(None)
    assert "a colour's own" in find(a_stable_service(), "shop-blue")
    assert "cookie" in find(a_stable_service(), sticky=True)
    both = a_stable_service()
    del both["spec"]["selector"]["switchover.dev/colour"]
    assert "matches both colours" in find(both)
    with pytest.raises(InputError, match="matches both colours"):
        stable_service.read_split(both)


def test_only_what_is_ready_gets_traffic() -> None:
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False, "serving": True}},
        {"addresses": ["10.0.0.3"]},
    ]
    assert stable_service.ready_addresses([{"endpoints": endpoints}, {"endpoints": None}]) == {"10.0.0.1", "10.0.0.3"}


# --- HTTPRoute and Gateway


def test_what_is_wrong_with_a_route_is_named_with_its_yaml() -> None:
    def find(route: dict[str, Any] | None) -> str:
        return one(find_http_route_obstacles(route, "shop", "shop", sticky=False))

    assert not find_http_route_obstacles(a_route(), "shop", "shop", sticky=True)
    said = find(None)
    assert "kind: HTTPRoute" in said
    assert "name: shop-green" in said
    lacks = [{"backendRefs": backends(100, 0)[:1]}]
    assert "HTTPRoute shop, spec.rules[0].backendRefs" in find(a_route(rules=lacks))
    assert "no shop-green" in find(a_route(rules=lacks))
    assert "neither" in find(a_route(rules=[{"backendRefs": [{"name": "other"}]}]))


def test_a_route_without_a_preview_is_no_obstacle() -> None:
    route = a_route(rules=[{"backendRefs": backends(100, 0)}])
    assert not find_http_route_obstacles(route, "shop", "shop", sticky=False)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "nobody has said anything"),
        ({"type": "Programmed", "status": "False", "reason": "Invalid", "message": "no address"}, "no address"),
        ({"type": "Accepted", "status": "True"}, "nobody has said anything"),
    ],
)
def test_a_gateway_that_is_not_programmed_is_named(status: dict[str, Any] | None, said: str) -> None:
    gateway = {**a_gateway(), "status": {"conditions": [status] if status else []}}
    assert said in one(find_gateway_obstacles(gateway, "Gateway public"))
    assert "none of that name" in one(find_gateway_obstacles(None, "Gateway public"))


def test_references_are_only_asked_for_once_both_services_are_there() -> None:
    route = a_route()
    route["metadata"] |= {"generation": 1, "namespace": "n"}
    conditions = [
        {"type": "Accepted", "status": "True", "observedGeneration": 1},
        {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "observedGeneration": 1},
    ]
    route["status"] = {"parents": [{"parentRef": {"name": "public"}, "conditions": conditions}]}
    assert not find_acceptance_obstacles(route, complete=False)
    assert "BackendNotFound" in one(find_acceptance_obstacles(route, complete=True))


@pytest.mark.parametrize(
    ("parent", "port"), [({}, 80), ({"sectionName": "tls"}, 443), ({"port": 443}, 443), ({"sectionName": "none"}, None)]
)
def test_the_listener_of_a_route_is_found(parent: dict[str, Any], port: int | None) -> None:
    listeners = [
        {"name": "tls", "protocol": "HTTPS", "port": 443},
        {"name": "tcp", "protocol": "TCP", "port": 80},
        {"name": "plain", "protocol": "HTTP", "port": 80},
    ]
    gateway = {"spec": {"listeners": listeners}, "status": {"addresses": [{"value": "2001:db8::1"}]}}
    listener = find_listener(gateway, parent)
    assert (listener or {}).get("port") == port
    assert listener_uses_tls(listener) is (port == 443)
    assert find_address(gateway, listener) == (f"[2001:db8::1]:{port}" if port else None)
    assert find_address(None, find_listener(None, parent)) is None


def test_the_colour_of_a_stable_service_is_read_from_its_selector() -> None:
    assert stable_service.find_colour(a_stable_service("green")) is Colour.GREEN
