from __future__ import annotations

import re
from typing import Any

import jsonpatch
import pytest

from switchover.decide.http_routes import read_split, weight_operations
from switchover.decide.sticky_sessions import find_sticky_trouble, sticky_operations
from switchover.model import Route
from tests.kube_gateway import a_route, backends


def moved(route: dict[str, Any], green: int, epoch: int = 7) -> dict[str, Any]:
    wanted = Route(100 - green, green)
    operations = [*weight_operations(route, "shop", wanted), *sticky_operations(route, "shop", wanted, epoch)]
    patched: dict[str, Any] = jsonpatch.apply_patch(route, operations)
    assert read_split(patched, "shop") == wanted
    return patched


def cookies(route: dict[str, Any]) -> dict[str, str]:
    """The cookie that each backend of the first rule sets."""
    return {
        ref["name"]: header["value"].partition(";")[0]
        for ref in route["spec"]["rules"][0]["backendRefs"]
        for each in ref.get("filters", [])
        for header in each["responseHeaderModifier"].get("add", [])
    }


def test_the_new_colour_sets_a_cookie_and_whoever_has_it_comes_back_to_it() -> None:
    route = moved(a_route(), 10)
    assert cookies(route) == {"shop-green": "switchover-shop=green-7"}
    rule = route["spec"]["rules"][-1]
    assert [ref["weight"] for ref in rule["backendRefs"]] == [0, 1]
    (header,) = rule["matches"][0]["headers"]
    for cookie, fits in (
        ("switchover-shop=green-7", True),
        ("a=b; switchover-shop=green-7", True),
        ("a=b; switchover-shop=green-7; c=d", True),
        ("switchover-shop=green-77", False),
        ("switchover-shop=green-6", False),
        ("switchover-shop=blue-7", False),
        ("not-switchover-shop=green-7", False),
    ):
        assert bool(re.fullmatch(header["value"], cookie)) is fits
        assert bool(re.search(header["value"], cookie)) is fits, "some gateways look for it anywhere"


def test_the_cookie_stays_the_same_over_the_steps() -> None:
    first = moved(a_route(), 10)
    second = moved(first, 50)
    assert second["spec"]["rules"][-1] == first["spec"]["rules"][-1]
    assert not sticky_operations(second, "shop", Route(50, 50), 7)


@pytest.mark.parametrize("end", [0, 100])
def test_with_the_canary_its_cookie_ends(end: int) -> None:
    before = a_route(100 - end, end)
    assert moved(moved(moved(a_route(), 10), 50), end) == before


def test_blue_may_be_the_new_one() -> None:
    assert cookies(moved(a_route(0, 100), 90)) == {"shop-blue": "switchover-shop=blue-7"}


def test_who_takes_over_in_the_middle_gives_a_cookie_of_its_own() -> None:
    assert cookies(moved(moved(a_route(), 10, epoch=7), 50, epoch=8)) == {"shop-green": "switchover-shop=green-8"}


def test_filters_of_the_user_stay() -> None:
    route = a_route(named=False)
    mine = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}
    route["spec"]["rules"][0]["backendRefs"][1]["filters"] = [mine]
    during = moved(route, 10)
    assert during["spec"]["rules"][0]["backendRefs"][1]["filters"][0] == mine
    after = moved(during, 0)
    assert after == route


def test_each_rule_with_traffic_gets_one_for_its_cookies_with_all_that_it_asks_for() -> None:
    get = {"path": {"type": "PathPrefix", "value": "/api"}, "method": "GET"}
    rules = [{"backendRefs": backends(100, 0)}, {"matches": [get, {"method": "PUT"}], "backendRefs": backends(100, 0)}]
    added = moved(a_route(rules=rules), 10)["spec"]["rules"][2:]
    assert [len(rule["matches"]) for rule in added] == [1, 2]
    assert added[0]["matches"][0]["path"] == {"type": "PathPrefix", "value": "/"}
    assert (added[1]["matches"][0]["method"], added[1]["matches"][1]["method"]) == ("GET", "PUT")


def test_a_route_that_cannot_have_them_says_why() -> None:
    assert not find_sticky_trouble(a_route(), "shop")
    many = [{"backendRefs": backends(100, 0)} for _ in range(9)]
    assert "16" in find_sticky_trouble(a_route(rules=many), "shop")
    by_cookie = {"headers": [{"name": "cookie", "value": "a=b"}]}
    mine = [{"matches": [by_cookie], "backendRefs": backends(100, 0)}]
    assert "matches a cookie already" in find_sticky_trouble(a_route(rules=mine), "shop")
