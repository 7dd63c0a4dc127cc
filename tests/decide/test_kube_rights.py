from __future__ import annotations

import json

import pytest

from switchover.decide.kube_rights import Right, list_rights
from switchover.model import Colour, Manifest, Workload

HPA, PDB = ("autoscaling", "horizontalpodautoscalers"), ("policy", "poddisruptionbudgets")


def verbs(resource: tuple[str, str], name: str, *kinds: str) -> set[str]:
    manifest = Manifest(json.dumps([{"kind": kind} for kind in ("Deployment", *kinds)]), "app", "image", "http")
    workload = Workload((), 1, "/", manifest=manifest)
    rights = list_rights("shop", Colour.GREEN, workload, "ledger", Right("get", "", "services", "shop"))
    return {each.verb for each in rights if (each.group, each.resource, each.name) == (*resource, name)}


def test_an_autoscaler_of_the_colour_before_is_held_so_both_are_asked_for() -> None:
    kinds = ("HorizontalPodAutoscaler", "PodDisruptionBudget")
    for resource in (HPA, PDB):
        assert verbs(resource, "shop-green", *kinds) == {"get", "create", "patch", "delete"}
        assert verbs(resource, "shop-blue", *kinds) == {"get", "patch"}


def test_one_that_an_earlier_release_may_have_had_has_to_be_taken_away() -> None:
    for resource in (HPA, PDB):
        assert verbs(resource, "shop-green") == {"get", "delete"}
        assert verbs(resource, "shop-blue") == {"get"}


@pytest.mark.parametrize("name", ["shop-green:80"])
def test_smoke_tests_may_get_and_post(name: str) -> None:
    assert verbs(("", "services/proxy"), name) == {"get", "create"}
