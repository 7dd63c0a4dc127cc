"""Bad input is refused before anything changes, with the object, the field and the fix named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from switchover.adapters.gateway_route import GatewayRoute
from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_credentials import credentials_from_file
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import Kind
from switchover.adapters.kube_router import KubeRouter, RoutedService, Sight
from switchover.errors import InputError, Problem
from switchover.operations.preflight import require_ready
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.deployer import ACCOUNT
from tests.end_to_end.kubernetes.meanwhile import await_true
from tests.end_to_end.kubernetes.project import SERVICE, Shop

pytestmark = pytest.mark.cluster

GOOD, NEXT = "1.0.0", "1.1.0"
# Whatever switchover writes, and what it reads.
_KINDS = "deployments,services,configmaps,secrets,httproutes,poddisruptionbudgets,jobs,replicasets,pods"
_SCALERS = "horizontalpodautoscalers"


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    shop = make_shop(hold_seconds=0, bake_seconds=0)
    for version in (GOOD, NEXT):
        shop.publish(version)
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    """The good release is live; manifests and settings that a test changes are put back."""
    settings, manifest = dict(house.settings), house.root / "manifests" / "workload.yaml"
    text = manifest.read_text(encoding="utf-8")
    yield house
    manifest.write_text(text, encoding="utf-8")
    house.configure(**settings)
    require_ready(house.ports, house.plan(NEXT))


def state_of(shop: Shop) -> dict[str, str]:
    """Every object of the namespace with its resource version; of autoscalers, whose status moves, what is wanted."""
    found = {each_name(each): each["metadata"]["resourceVersion"] for each in shop.cluster.list(shop.namespace, _KINDS)}
    scalers = shop.cluster.list(shop.namespace, _SCALERS)
    return found | {each_name(each): json.dumps(each["spec"], sort_keys=True) for each in scalers}


def each_name(obj: dict[str, Any]) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def refuse(shop: Shop, version: str = NEXT, strategy: str = "instant") -> Problem:
    """Deploy as the flow does; what it was refused with, and nothing in the namespace has changed."""
    before = state_of(shop)
    with pytest.raises(InputError) as refused:
        shop.deploy(version, strategy)
    assert state_of(shop) == before
    return refused.value.problem


def change_manifest(shop: Shop, change: dict[str, Any], *, remove: str = "") -> None:
    """Change the container of the user's Deployment."""
    file = shop.root / "manifests" / "workload.yaml"
    documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    container = documents[0]["spec"]["template"]["spec"]["containers"][0]
    container |= change
    container.pop(remove, None)
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")


@contextmanager
def applied(shop: Shop, document: dict[str, Any]) -> Iterator[None]:
    """An object that somebody else puts beside ours."""
    kind, name = document["kind"], document["metadata"]["name"]
    shop.cluster.apply(shop.namespace, yaml.safe_dump(document))
    try:
        yield
    finally:
        shop.cluster.kubectl("delete", kind, name, "--namespace", shop.namespace)


def test_a_manifest_without_a_readiness_probe(shop: Shop) -> None:
    change_manifest(shop, {}, remove="readinessProbe")
    problem = refuse(shop)
    assert "Deployment shop" in problem.expected
    assert "spec.template.spec.containers[shop].readinessProbe" in problem.expected
    assert "none" in problem.found
    assert "add one" in problem.next_step


def test_a_tag_that_does_not_resolve(shop: Shop) -> None:
    problem = refuse(shop, "9.9.9")
    assert problem.failed == "shop 9.9.9 was never released"
    assert NEXT in problem.expected
    assert "release it first" in problem.next_step


def test_a_service_whose_selector_matches_both_colours(shop: Shop) -> None:
    both = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-all"},
        "spec": {"selector": {"app.kubernetes.io/name": "shop"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    with applied(shop, both):
        problem = refuse(shop)
    assert "Service shop-all, spec.selector" in problem.expected
    assert "the pods of both" in problem.found
    assert "add switchover.dev/colour: blue to the selector" in problem.next_step


@pytest.mark.parametrize(
    "parent",
    [{"name": "nowhere"}, {"name": "nowhere", "namespace": "default"}],
    ids=["here", "in a namespace that we may not read"],
)
def test_a_missing_gateway(shop: Shop, parent: dict[str, str]) -> None:
    route = shop.get("httproute", SERVICE)["spec"]["parentRefs"]
    with_parents(shop, [parent])
    try:
        problem = refuse(shop)
    finally:
        with_parents(shop, route)
    assert "nowhere" in problem.expected + problem.found
    assert "Gateway" in problem.expected + problem.found
    assert problem.next_step


def with_parents(shop: Shop, parents: list[dict[str, Any]]) -> None:
    patch = json.dumps([{"op": "replace", "path": "/spec/parentRefs", "value": parents}])
    shop.cluster.kubectl("patch", "httproute", SERVICE, "-n", shop.namespace, "--type", "json", "--patch", patch)


def test_a_missing_custom_resource_definition(shop: Shop) -> None:
    class RouteOfAnUnknownGroup(GatewayRoute):
        kind = Kind("gateway.absent.example/v1", "httproutes", "HTTPRoute")

    api = KubeApi(credentials_from_file(str(shop.kubeconfig)), shop.namespace)
    fence = KubeFence(api, lambda: shop.ports.ledger.read().epoch)
    before = state_of(shop)
    router = KubeRouter(api, fence, RouteOfAnUnknownGroup(api), {SERVICE: RoutedService(SERVICE, SERVICE)}, Sight())
    (obstacle,) = router.find_obstacles(SERVICE, ())
    assert state_of(shop) == before
    assert obstacle.place == "the cluster's HTTPRoute"
    assert "does not know" in obstacle.found
    assert "install the custom resource definitions of gateway.absent.example" in obstacle.fix


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [("apps", "deployments", "patch"), ("gateway.networking.k8s.io", "httproutes", "patch"), ("", "pods/log", "get")],
)
def test_a_forbidden_verb(shop: Shop, group: str, resource: str, verb: str) -> None:
    role = shop.get("role", ACCOUNT)
    without = [without_verb(rule, resource, verb) for rule in role["rules"]]
    replace_rules(shop, [rule for rule in without if rule["verbs"]])
    try:
        await_true(lambda: not may(shop, verb, group, resource), "the right to be gone")
        problem = refuse(shop)
    finally:
        replace_rules(shop, role["rules"])
        await_true(lambda: may(shop, verb, group, resource), "the right to be back")
    assert f"rights in namespace {shop.namespace}: to {verb} {resource}" in problem.expected
    assert "not allowed" in problem.found
    assert f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]' in problem.next_step


def without_verb(rule: dict[str, Any], resource: str, verb: str) -> dict[str, Any]:
    if resource not in rule["resources"]:
        return rule
    return {**rule, "verbs": [each for each in rule["verbs"] if each != verb]}


def replace_rules(shop: Shop, rules: list[dict[str, Any]]) -> None:
    patch = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    shop.cluster.kubectl("patch", "role", ACCOUNT, "-n", shop.namespace, "--type", "json", "--patch", patch)


def may(shop: Shop, verb: str, group: str, resource: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{shop.namespace}-deployer:{ACCOUNT}",
            "resourceAttributes": {
                "namespace": shop.namespace,
                "verb": verb,
                "group": group,
                "resource": resource.partition("/")[0],
                "subresource": resource.partition("/")[2],
                "name": {"deployments": "shop-blue", "httproutes": "shop"}.get(resource, ""),
            },
        },
    }
    said = shop.cluster.kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed}", stdin=json.dumps(review))
    return said == "true"


@pytest.mark.parametrize(
    ("account", "fix"),
    [("deployer", "grant the deployer's account"), ("administrator", "create namespace")],
)
def test_a_namespace_that_does_not_exist(shop: Shop, account: str, fix: str) -> None:
    nowhere = f"{shop.namespace}-nowhere"
    kubeconfig = shop.cluster.kubeconfig if account == "administrator" else shop.kubeconfig
    shop.configure(namespace=nowhere, kubeconfig=str(kubeconfig))
    problem = refuse(shop)
    assert nowhere in problem.expected + problem.found
    assert fix in problem.next_step


def test_a_strategy_that_the_route_cannot_do(shop: Shop) -> None:
    stable = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-stable"},
        "spec": {
            "selector": {"switchover.dev/service": "shop", "switchover.dev/colour": str(shop.live)},
            "ports": [{"port": 80, "targetPort": "http"}],
        },
    }
    with applied(shop, stable):
        shop.configure(
            kubernetes='route = "service"', placement='route = "shop-stable"', kubeconfig=str(shop.cluster.kubeconfig)
        )
        problem = refuse(shop, strategy="canary-10")
    assert "Service shop-stable, spec.selector" in problem.expected
    assert "a step with 10 %" in problem.found
    assert "deploy with the strategy `instant`" in problem.next_step


def test_a_quota_without_room_for_the_second_colour(shop: Shop) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "3"}},
    }
    with applied(shop, quota):
        await_true(lambda: shop.get("resourcequota", "small").get("status", {}).get("used") is not None, "the quota")
        problem = refuse(shop)
    assert "ResourceQuota small, pods" in problem.expected
    assert "room for 2 pods" in problem.expected
    assert "left of 3" in problem.found
    assert "raise the quota" in problem.next_step
