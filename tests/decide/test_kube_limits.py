from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from switchover.decide.kube_obstacles import find_counting_obstacles, find_namespace_obstacle
from switchover.decide.kube_rights import Right, find_right_obstacles, list_rights
from switchover.decide.kube_room import count_pod, find_room_obstacles, parse_quantity
from switchover.model import Colour, ConfigCopy, Manifest, Migrations, Step, Workload

PODS = {
    "containers": [
        {"name": "app", "resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "1", "memory": "256Mi"}}},
        {"name": "side", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}},
    ]
}


def quota(used: dict[str, str], hard: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "all"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"), ("250m", "0.25"), ("1.5Gi", "1610612736"), ("2e3", "2000"), ("2E3", "2000"), ("1E", "1e18"),
        ("128974848", "128974848"), ("129M", "129000000"), ("100n", "1e-7"), ("0.5", "0.5"), ("", "0"), ("much", "0"),
        ("1..2", "0"), (".", "0"), (3, "3"),
    ],
)  # fmt: skip
def test_quantities_are_numbers(text: object, number: str) -> None:
    assert parse_quantity(text) == Decimal(number)


def test_a_pod_counts_its_containers_and_what_has_only_a_limit_asks_for_it() -> None:
    counted = count_pod(PODS)
    assert counted["requests.cpu"] == Decimal("0.3")
    assert counted["requests.memory"] == 320 * 1024**2
    assert counted["limits.cpu"] == 1
    assert counted["pods"] == 1


def test_a_large_init_container_counts_instead_and_a_sidecar_beside() -> None:
    init = [
        {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
        {"resources": {"requests": {"cpu": "2"}}},
    ]
    assert count_pod({**PODS, "initContainers": init})["requests.cpu"] == Decimal("2.1")
    assert count_pod({**PODS, "initContainers": init[:1]})["requests.cpu"] == Decimal("0.4")


@pytest.mark.parametrize(
    ("used", "hard", "fits"),
    [
        ({"pods": "8"}, {"pods": "10"}, True),
        ({"pods": "9"}, {"pods": "10"}, False),
        ({"requests.cpu": "400m"}, {"requests.cpu": "1"}, True),
        ({"cpu": "500m"}, {"cpu": "1"}, False),
        ({"limits.memory": "0"}, {"limits.memory": "512Mi"}, True),
        ({"limits.memory": "1"}, {"limits.memory": "512Mi"}, False),
        ({"services": "5"}, {"services": "5"}, True),
    ],
)
def test_a_quota_must_leave_room_for_the_whole_second_colour(
    used: dict[str, str], hard: dict[str, str], *, fits: bool
) -> None:
    found = find_room_obstacles([quota(used, hard)], PODS, 2)
    assert (not found) is fits
    for obstacle in found:
        assert obstacle.place == f"ResourceQuota all, {next(iter(hard))}"


def test_quotas_for_other_pods_do_not_matter() -> None:
    full = ({"pods": "1"}, {"pods": "1"})
    assert find_room_obstacles([quota(*full, scopes=["NotTerminating"])], PODS, 1)
    assert not find_room_obstacles([quota(*full, scopes=["Terminating"])], PODS, 1)
    assert not find_room_obstacles([quota(*full, scopeSelector={"matchExpressions": []} | {"x": 1})], PODS, 1)


def test_missing_rights_are_named_with_the_rule_to_grant() -> None:
    denied = [Right("patch", "apps", "deployments", "shop-green"), Right("create", "apps", "deployments", "shop-green")]
    (obstacle,) = find_right_obstacles([*denied], "prod")
    assert obstacle.found == "not allowed to patch, create (shop-green)"
    assert obstacle.fix.endswith(
        'apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch", "create"], resourceNames: ["shop-green"]'
    )
    assert len(find_right_obstacles([*denied, Right("get", "", "pods/log")], "prod")) == 2


def test_rights_follow_what_the_release_has() -> None:
    plain = Workload((), 1, "/", manifest=Manifest('[{"kind": "Deployment"}]', "app", "r", "http"))
    rich = Workload(
        (), 1, "/",
        manifest=Manifest(
            '[{"kind": "Deployment"}, {"kind": "HorizontalPodAutoscaler"}]', "app", "r", "http",
            (ConfigCopy("Secret", "a", "a-1"),),
        ),
        migrations=Migrations(expand=("./migrate",)),
    )  # fmt: skip
    route = Right("get", "gateway.networking.k8s.io", "httproutes", "shop")
    few, many = (set(list_rights("shop", Colour.GREEN, each, "switchover-prod", route)) for each in (plain, rich))
    assert few < many
    assert {right.resource for right in many - few} == {"secrets", "jobs", "horizontalpodautoscalers"}
    assert Right("patch", "gateway.networking.k8s.io", "httproutes", "shop") in few
    assert Right("patch", "apps", "deployments", "shop-blue") in few, "the other colour is scaled"


def test_a_canary_must_be_counted_and_an_instant_switch_need_not() -> None:
    assert find_counting_obstacles((Step(10, 1), Step(100, 1)), counted=False)
    assert not find_counting_obstacles((Step(10, 1), Step(100, 1)), counted=True)
    assert not find_counting_obstacles((Step(100, 1),), counted=False)


def test_a_missing_namespace_says_how_to_make_it() -> None:
    assert "kubectl create namespace prod" in find_namespace_obstacle("prod").fix
