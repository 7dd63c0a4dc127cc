from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from switchover.decide.kube_rights import Right, list_rights
from switchover.model import Colour, ConfigCopy, Manifest, Migrations, Workload
from tests.manifests.rendering import COLOURS, Object, Rendered, assert_is_restricted, name
from tests.manifests.runs import make_run

READS = {"get", "list", "watch"}
# Names that are made of an id or of a content: entries of the history, copies of the configuration, Jobs.
UNNAMED_WRITES = {
    (resource, verb) for resource in ("configmaps", "secrets", "jobs") for verb in ("create", "patch", "delete")
}
ROUTES = {
    "gateway": Right("get", "gateway.networking.k8s.io", "httproutes", "shop"),
    "ingress-nginx": Right("get", "networking.k8s.io", "ingresses", "shop-canary"),
    "stable-service": Right("get", "", "services", "shop-stable"),
}
KINDS = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "deployments": "Deployment",
    "services": "Service",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "httproutes": "HTTPRoute",
    "ingresses": "Ingress",
}

Applications = dict[tuple[str, str], Rendered]


def rules_of(deployer: Rendered, role: str) -> list[Object]:
    rules: list[Object] = deployer.one("Role", role)["rules"]
    return rules


def rights_of(deployer: Rendered, role: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Resource, verb and names (empty: any), one for each."""
    for rule in rules_of(deployer, role):
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield resource, verb, tuple(rule.get("resourceNames", ()))


def test_nobody_has_a_right_on_the_whole_cluster(deployer: Rendered) -> None:
    assert not deployer.all("ClusterRole", "ClusterRoleBinding")


def test_no_rule_has_a_wildcard(deployer: Rendered) -> None:
    for role in deployer.all("Role"):
        for rule in role["rules"]:
            assert rule["verbs"]
            assert not any("*" in each for part in rule.values() for each in part)


def test_what_the_deployer_changes_is_named(deployer: Rendered) -> None:
    unnamed = {
        (resource, verb)
        for resource, verb, names in rights_of(deployer, "switchover-deployer")
        if verb not in READS and not names
    }
    assert unnamed == UNNAMED_WRITES


def test_neither_a_colour_nor_the_route_can_be_deleted(deployer: Rendered) -> None:
    rights = [right for role in deployer.names("Role") for right in rights_of(deployer, role)]
    assert {resource for resource, verb, _ in rights if verb.startswith("delete")} == {
        *("configmaps", "secrets", "jobs"),
        *("horizontalpodautoscalers", "poddisruptionbudgets"),  # of a release that has none any more
    }


@pytest.mark.parametrize("colour", Colour)
def test_what_a_deployment_asks_for_beforehand_is_granted(deployer: Rendered, colour: Colour) -> None:
    granted = {
        (group, resource, verb, name)
        for rule in rules_of(deployer, "switchover-deployer")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }
    kinds = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")
    copies = (ConfigCopy("ConfigMap", "shop-config", "copy"), ConfigCopy("Secret", "shop-secrets", "copy"))
    manifest = Manifest(json.dumps([{"kind": kind} for kind in kinds]), "shop", "image", "http", copies)
    workload = Workload((), 2, "/", manifest=manifest, migrations=Migrations(expand=("up",)))
    for each in list_rights("shop", colour, workload, f"switchover-{deployer.environment}", ROUTES[deployer.route]):
        asked = {(each.group, each.resource, each.verb, name) for name in ("", each.name)}
        assert asked & granted, each


def test_every_named_object_is_one_of_the_application_or_the_ledger(
    deployer: Rendered, applications: Applications
) -> None:
    application = applications[deployer.environment, deployer.route]
    for resource, _, names in rights_of(deployer, "switchover-deployer"):
        if names and resource != "services/proxy":
            known = application.names(KINDS[resource]) | {f"switchover-{deployer.environment}"}
            assert set(names) <= known


def test_each_object_that_switchover_drives_can_be_changed(deployer: Rendered, applications: Applications) -> None:
    application = applications[deployer.environment, deployer.route]
    patchable = {
        (KINDS[resource], each)
        for resource, verb, names in rights_of(deployer, "switchover-deployer")
        for each in names
        if verb == "patch"
    }
    driven = {
        (each["kind"], name(each))
        for each in application.objects
        if "app.kubernetes.io/managed-by" in each["metadata"]["labels"]
    }
    # Neither changes with a release, nor with the traffic.
    constant = {("Service", "shop-metrics-blue"), ("Service", "shop-metrics-green")}
    if application.route == "ingress-nginx":
        constant.add(("Ingress", "shop"))
    assert patchable == driven - constant


def test_secrets_are_read_and_written_one_by_one_and_never_listed(deployer: Rendered) -> None:
    rights = [each for role in deployer.names("Role") for each in rights_of(deployer, role) if each[0] == "secrets"]
    assert {verb for _, verb, _ in rights} == {"get", "create", "patch", "delete"}


def test_the_ledger_is_that_of_the_environment(deployer: Rendered) -> None:
    assert rules_of(deployer, "switchover-deployer")[0] == {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [f"switchover-{deployer.environment}"],
        "verbs": ["update"],
    }
    assert "ENVIRONMENT" not in deployer.text


def test_smoke_tests_reach_each_colour_through_its_own_service_only(
    deployer: Rendered, applications: Applications
) -> None:
    application = applications[deployer.environment, deployer.route]
    proxied = {
        each
        for resource, _, names in rights_of(deployer, "switchover-deployer")
        if resource == "services/proxy"
        for each in names
    }
    assert proxied == {"shop-blue:80", "shop-green:80"}
    for each in proxied:
        service, _, port = each.partition(":")
        spec = application.one("Service", service)["spec"]
        assert spec["selector"]["switchover.dev/colour"] in COLOURS
        assert port in {str(known["port"]) for known in spec["ports"]}


def test_the_rights_hold_in_the_services_namespace_for_the_runs_of_this_environment(deployer: Rendered) -> None:
    role = deployer.one("Role", "switchover-deployer")
    binding = deployer.one("RoleBinding", "switchover-deployer")
    here = f"switchover-{deployer.environment}"
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == f"shop-{deployer.environment}"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "switchover-deployer", "namespace": here}]
    assert deployer.one("ServiceAccount", "switchover-deployer")["metadata"]["namespace"] == here


def test_the_worker_starts_runs_in_its_own_namespace_and_can_do_nothing_else(deployer: Rendered) -> None:
    here = f"switchover-{deployer.environment}"
    binding = deployer.one("RoleBinding", "switchover-worker")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "switchover-worker", "namespace": here}]
    assert binding["metadata"]["namespace"] == here
    assert deployer.one("Role", "switchover-worker")["metadata"]["namespace"] == here
    assert {resource for resource, _, _ in rights_of(deployer, "switchover-worker")} == {"jobs", "pods", "pods/log"}
    writes = {(resource, verb) for resource, verb, _ in rights_of(deployer, "switchover-worker") if verb not in READS}
    assert writes == {("jobs", "create"), ("jobs", "delete")}


def test_the_worker_and_the_runs_are_restricted(deployer: Rendered) -> None:
    templates = [*deployer.pod_templates(), make_run(deployer)["spec"]["template"]]
    assert len(templates) == 2
    for template in templates:
        assert_is_restricted(template)


def test_a_run_is_made_here_by_its_own_account_and_from_the_workers_image(deployer: Rendered) -> None:
    run = make_run(deployer)
    worker = deployer.one("Deployment", "switchover-worker")["spec"]["template"]["spec"]
    spec = run["spec"]["template"]["spec"]
    assert run["metadata"]["namespace"] == f"switchover-{deployer.environment}"
    assert spec["serviceAccountName"] == "switchover-deployer" != worker["serviceAccountName"]
    assert spec["containers"][0]["image"] == worker["containers"][0]["image"]
    assert spec["containers"][0]["args"] == ["prefect", "flow-run", "execute"]


def test_nothing_comes_in_and_what_goes_out_is_named(deployer: Rendered) -> None:
    policies = deployer.all("NetworkPolicy")
    deny = deployer.one("NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not any("ingress" in each["spec"] for each in policies)
    assert all(rule["to"] for each in policies for rule in each["spec"].get("egress", []))
    assert "0.0.0.0/0" not in json.dumps(policies)


def test_the_policy_for_runs_matches_the_runs_and_not_the_worker(deployer: Rendered) -> None:
    policy = deployer.one("NetworkPolicy", "allow-gateway-and-prometheus")["spec"]
    selector = policy["podSelector"]["matchLabels"].items()
    (worker,) = deployer.pod_templates()
    assert selector <= make_run(deployer)["spec"]["template"]["metadata"]["labels"].items()
    assert not selector <= worker["metadata"]["labels"].items()
