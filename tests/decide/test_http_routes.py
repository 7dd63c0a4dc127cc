from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest

from switchover.decide.http_routes import (
    find_unaccepted,
    is_refused,
    names_colours,
    probe_path,
    read_split,
    traffic_rules,
    weight_operations,
)
from switchover.errors import InputError, TargetError
from switchover.model import Route
from tests.kube_gateway import a_route, backends

ROOT = {"path": {"type": "PathPrefix", "value": "/"}}


def condition(kind: str, status: str = "True", generation: int = 3) -> dict[str, Any]:
    reason, message = ("Fine", "") if status == "True" else ("Bad", "it is wrong")
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}


def with_status(parent: dict[str, Any], *conditions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    route = a_route(**spec)
    route["metadata"] |= {"generation": 3, "namespace": "shop-production"}
    route["status"] = {"parents": [{"parentRef": parent, "controllerName": "c", "conditions": list(conditions)}]}
    return route


GOOD = (condition("Accepted"), condition("ResolvedRefs"))


@pytest.mark.parametrize(
    ("blue", "green", "expected"),
    [(100, 0, 0), (90, 10, 10), (0, 100, 100), (1, 1, 50), (9, 1, 10), (2, 1, 33), (999_999, 1, 0)],
)
def test_weights_are_read_as_shares(blue: int, green: int, expected: int) -> None:
    assert read_split(a_route(blue, green), "shop") == Route(100 - expected, expected)


def test_a_weight_that_is_not_written_is_one() -> None:
    route = a_route()
    for ref in route["spec"]["rules"][0]["backendRefs"]:
        del ref["weight"]
    assert read_split(route, "shop") == Route(50, 50)


def test_only_rules_with_both_colours_and_no_preview_carry_traffic() -> None:
    elsewhere = {"matches": [ROOT], "backendRefs": [{"name": "other", "port": 80}]}
    redirect = {"filters": [{"type": "RequestRedirect"}]}
    rules = [elsewhere, redirect, *a_route()["spec"]["rules"], {"backendRefs": backends(100, 0)}]
    assert traffic_rules(a_route(rules=rules), "shop") == (2, 4)


def test_rules_that_disagree_are_said_and_the_next_weights_mend_them() -> None:
    rules = [{"backendRefs": backends(100, 0)}, {"matches": [ROOT], "backendRefs": backends(50, 50)}]
    route = a_route(rules=rules)
    with pytest.raises(TargetError, match=r"spec.rules\[0\]: green 0 %; spec.rules\[1\]: green 50 %"):
        read_split(route, "shop")
    patched = jsonpatch.apply_patch(route, weight_operations(route, "shop", Route(90, 10)))
    assert read_split(patched, "shop") == Route(90, 10)


def test_a_rule_that_gives_nobody_anything_is_no_split() -> None:
    with pytest.raises(TargetError, match="nobody gets anything"):
        read_split(a_route(0, 0), "shop")


def test_a_route_without_both_colours_shows_one_that_has_them() -> None:
    with pytest.raises(InputError) as caught:
        read_split(a_route(rules=[{"backendRefs": [{"name": "shop-blue"}]}]), "shop")
    assert "name: shop-green" in str(caught.value)
    assert "x-switchover-colour, value: green" in str(caught.value)


@pytest.mark.parametrize("green", [0, 1, 50, 100])
def test_the_patch_changes_the_weights_of_traffic_and_nothing_else(green: int) -> None:
    route = a_route(37, 63)
    before = copy.deepcopy(route)
    patched = jsonpatch.apply_patch(route, weight_operations(route, "shop", Route(100 - green, green)))
    assert read_split(patched, "shop") == Route(100 - green, green)
    assert not weight_operations(patched, "shop", Route(100 - green, green))
    for ref, weight in zip(patched["spec"]["rules"][0]["backendRefs"], (37, 63), strict=True):
        ref["weight"] = weight
    assert patched == before


def test_the_patch_fails_where_a_backend_has_moved() -> None:
    route = a_route()
    operations = weight_operations(route, "shop", Route(50, 50))
    route["spec"]["rules"][0]["backendRefs"].reverse()
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(route, operations)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({"name": "public"}, {"name": "public"}),
        (
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop-production", "name": "public"},
            {"name": "public"},
        ),
        ({"name": "public"}, {"name": "public", "namespace": "shop-production", "kind": "Gateway"}),
        ({"name": "public", "sectionName": "https"}, {"name": "public", "sectionName": "https"}),
    ],
)
def test_our_parent_is_found_after_defaulting(said: dict[str, Any], asked: dict[str, Any]) -> None:
    assert find_unaccepted(with_status(said, *GOOD, parentRefs=[asked]), 3) == ()


@pytest.mark.parametrize(
    "said", [{"name": "other"}, {"name": "public", "sectionName": "http"}, {"name": "public", "namespace": "elsewhere"}]
)
def test_the_word_of_another_parent_does_not_count(said: dict[str, Any]) -> None:
    assert find_unaccepted(with_status(said, *GOOD), 3) == ("Gateway public says nothing about it",)


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ((), "no condition Accepted"),
        ((condition("Accepted"),), "no condition ResolvedRefs"),
        ((condition("Accepted", generation=2), condition("ResolvedRefs")), "about generation 2, not 3"),
        ((condition("Accepted", "False"), condition("ResolvedRefs")), "Accepted is False (Bad): it is wrong"),
        ((condition("Accepted"), condition("ResolvedRefs", "Unknown")), "ResolvedRefs is Unknown"),
        ((*GOOD, condition("PartiallyInvalid")), "PartiallyInvalid"),
    ],
)
def test_a_generation_is_accepted_by_all_conditions_or_not_at_all(
    conditions: tuple[dict[str, Any], ...], why: str
) -> None:
    (found,) = find_unaccepted(with_status({"name": "public"}, *conditions), 3)
    assert why in found


def test_a_newer_generation_covers_the_asked_one() -> None:
    newer = [condition(kind, generation=4) for kind in ("Accepted", "ResolvedRefs")]
    assert find_unaccepted(with_status({"name": "public"}, *newer), 3) == ()


def test_every_parent_must_have_accepted() -> None:
    route = with_status({"name": "public"}, *GOOD, parentRefs=[{"name": "public"}, {"name": "internal"}])
    assert find_unaccepted(route, 3) == ("Gateway internal says nothing about it",)
    assert find_unaccepted(a_route(parentRefs=[]), 3) == ("spec.parentRefs is empty: the route belongs to no gateway",)


def test_a_no_about_this_generation_is_a_refusal_and_one_about_an_older_is_not() -> None:
    bad = with_status({"name": "public"}, condition("Accepted", "False"), condition("ResolvedRefs"))
    assert is_refused(bad, 3)
    assert not is_refused(bad, 4)
    assert not is_refused(with_status({"name": "public"}, *GOOD), 3)


def test_backends_that_name_their_colour_are_recognised() -> None:
    assert names_colours(a_route(), "shop")
    assert not names_colours(a_route(named=False), "shop")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ({"type": "PathPrefix", "value": "/"}, "/healthz"),
        ({"type": "PathPrefix", "value": "/healthz"}, "/healthz"),
        ({"type": "PathPrefix", "value": "/health"}, "/health"),
        ({"type": "PathPrefix", "value": "/api"}, "/api"),
        ({"type": "Exact", "value": "/api"}, "/api"),
        ({"type": "RegularExpression", "value": "/a.*"}, "/healthz"),
    ],
)
def test_probes_ask_for_a_path_that_the_traffic_takes(path: dict[str, str], expected: str) -> None:
    route = a_route(rules=[{"matches": [{"path": path}], "backendRefs": backends(1, 0)}])
    assert probe_path(route, "shop", "/healthz") == expected
    assert probe_path(a_route(rules=[{"backendRefs": backends(1, 0)}]), "shop", "/healthz") == "/healthz"
