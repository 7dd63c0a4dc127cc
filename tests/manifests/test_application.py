from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from switchover.decide.colour_names import colour_labels
from switchover.decide.http_routes import names_colours
from switchover.decide.kube_reading import Wanted, read_workload
from switchover.decide.route_obstacles import (
    find_http_route_obstacles,
    find_ingress_obstacles,
    find_stable_service_obstacles,
)
from switchover.model import Colour, Step
from tests.manifests.rendering import (
    COLOURS,
    ENVIRONMENTS,
    MANIFESTS,
    Object,
    Rendered,
    assert_is_restricted,
    copy_manifests,
    name,
    run_kustomize,
)

SERVICE = "switchover.dev/service"
COLOUR = "switchover.dev/colour"
MANAGED_BY = "app.kubernetes.io/managed-by"
PORTS_OF_PODS = {"http", "metrics", 8089}


def pod_of(application: Rendered, colour: str) -> Object:
    template: Object = application.one("Deployment", f"shop-{colour}")["spec"]["template"]
    return template


def selectors_of(application: Rendered) -> list[dict[str, str]]:
    """Every selector that decides which pods something is about, network policies aside."""
    found = [each["spec"]["selector"] for each in application.all("Service")]
    found += [each["spec"]["selector"]["matchLabels"] for each in application.all("Deployment", "PodDisruptionBudget")]
    for template in application.pod_templates():
        spread = template["spec"]["topologySpreadConstraints"]
        anti = template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        found += [each["labelSelector"]["matchLabels"] for each in spread]
        found += [each["podAffinityTerm"]["labelSelector"]["matchLabels"] for each in anti]
    return found


def test_there_are_two_colours_and_nothing_else_runs(application: Rendered) -> None:
    assert application.names("Deployment") == {"shop-blue", "shop-green"}
    assert not application.all("StatefulSet", "DaemonSet", "Job", "Pod", "ReplicaSet")


def test_no_selector_matches_both_colours(application: Rendered) -> None:
    selectors = selectors_of(application)
    assert len(selectors) >= 14
    for selector in selectors:
        assert selector.keys() >= {SERVICE, COLOUR}
        matching = [
            colour
            for colour in COLOURS
            if selector.items() <= pod_of(application, colour)["metadata"]["labels"].items()
        ]
        assert matching == [selector[COLOUR]]


def test_the_colours_differ_in_nothing_but_their_colour(application: Rendered) -> None:
    for kind, prefix in (
        ("Deployment", "shop-"),
        ("Service", "shop-"),
        ("Service", "shop-metrics-"),
        ("HorizontalPodAutoscaler", "shop-"),
        ("PodDisruptionBudget", "shop-"),
    ):
        blue, green = (json.dumps(application.one(kind, prefix + colour)) for colour in COLOURS)
        assert blue.replace("blue", "green") == green


def test_an_apply_never_scales_a_colour(application: Rendered) -> None:
    assert all("replicas" not in each["spec"] for each in application.all("Deployment"))


def test_the_probes_are_those_that_were_promised(application: Rendered) -> None:
    for colour in COLOURS:
        (container,) = pod_of(application, colour)["spec"]["containers"]
        startup, liveness, readiness = (container[f"{each}Probe"] for each in ("startup", "liveness", "readiness"))
        assert (startup["failureThreshold"], startup["periodSeconds"]) == (30, 5)
        assert (liveness["initialDelaySeconds"], liveness["periodSeconds"]) == (30, 10)
        assert (readiness["initialDelaySeconds"], readiness["periodSeconds"]) == (10, 5)


def test_the_pods_are_restricted_and_their_images_named_by_digest(application: Rendered) -> None:
    for template in application.pod_templates():
        assert_is_restricted(template)


def test_the_namespace_refuses_pods_that_are_not_restricted(application: Rendered) -> None:
    (namespace,) = application.all("Namespace")
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
    others = [each for each in application.objects if each is not namespace]
    assert (
        {each["metadata"]["namespace"] for each in others} == {name(namespace)} == {f"shop-{application.environment}"}
    )


def test_the_service_has_no_rights_and_no_token(application: Rendered) -> None:
    assert not application.all("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    assert application.one("ServiceAccount", "shop")["automountServiceAccountToken"] is False
    for template in application.pod_templates():
        assert template["spec"]["serviceAccountName"] == "shop"
        assert template["spec"]["automountServiceAccountToken"] is False


def test_pods_keep_apart_by_node_and_zone(application: Rendered) -> None:
    for template in application.pod_templates():
        spread = template["spec"]["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        anti = template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert [each["podAffinityTerm"]["topologyKey"] for each in anti] == ["kubernetes.io/hostname"]


def test_a_leaving_pod_serves_until_every_router_knows_and_then_has_time_to_finish(application: Rendered) -> None:
    for template in application.pod_templates():
        (container,) = template["spec"]["containers"]
        sleep_seconds = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert sleep_seconds >= 10
        assert template["spec"]["terminationGracePeriodSeconds"] >= sleep_seconds + 30


def test_each_colour_is_scaled_by_its_own_autoscaler_from_2_to_10(application: Rendered) -> None:
    assert application.names("HorizontalPodAutoscaler") == {"shop-blue", "shop-green"}
    for each in application.all("HorizontalPodAutoscaler"):
        assert each["apiVersion"] == "autoscaling/v2"
        assert (each["spec"]["minReplicas"], each["spec"]["maxReplicas"]) == (2, 10)
        assert each["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name(each)}


def test_each_colour_keeps_one_pod_through_a_drain(application: Rendered) -> None:
    assert application.names("PodDisruptionBudget") == {"shop-blue", "shop-green"}
    assert all(each["spec"]["minAvailable"] == 1 for each in application.all("PodDisruptionBudget"))


def test_both_colours_mount_what_the_operator_changes_and_a_deploy_copies(application: Rendered) -> None:
    for colour in COLOURS:
        spec = pod_of(application, colour)["spec"]
        assert spec["containers"][0]["envFrom"] == [{"configMapRef": {"name": "shop-config"}}]
        assert [each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each] == ["shop-secrets"]
    assert (application.names("ConfigMap"), application.names("Secret")) == ({"shop-config"}, {"shop-secrets"})


def test_undoing_the_rollout_of_a_colour_finds_nothing(application: Rendered) -> None:
    assert {each["spec"]["revisionHistoryLimit"] for each in application.all("Deployment")} == {0}


def test_a_deployment_reads_them_without_an_obstacle(application: Rendered) -> None:
    namespace = f"shop-{application.environment}"
    wanted = Wanted("shop", "shop", None, "registry.example.com/acme-home/shop", "http", namespace)
    reading = read_workload(application.objects, wanted)
    assert reading.obstacles == ()
    assert (reading.replicas, reading.max_replicas) == (2, 10)
    assert {(each.kind, each.name) for each in reading.references} == {
        ("ConfigMap", "shop-config"),
        ("Secret", "shop-secrets"),
    }
    for colour in COLOURS:
        selector = application.one("Deployment", f"shop-{colour}")["spec"]["selector"]
        assert selector == {"matchLabels": colour_labels("shop", Colour(colour))}, "it can never be changed"


def test_a_deployment_finds_nothing_wrong_with_the_route(application: Rendered) -> None:
    if application.route == "gateway":
        route = application.one("HTTPRoute", "shop")
        assert find_http_route_obstacles(route, "shop", "shop", sticky=True) == ()
        assert names_colours(route, "shop")
    elif application.route == "ingress-nginx":
        primary, canary = (application.one("Ingress", each) for each in ("shop", "shop-canary"))
        assert find_ingress_obstacles(primary, canary, "shop", "shop", sticky=False) == ()
    else:
        stable = application.one("Service", "shop-stable")
        instant = (Step(100, 0.0),)
        assert find_stable_service_obstacles(stable, "shop", "shop-stable", instant, sticky=False) == ()


def test_what_switchover_drives_can_be_left_out_of_an_apply_by_its_label(application: Rendered) -> None:
    driven = {(each["kind"], name(each)) for each in application.objects if each["metadata"]["labels"].get(MANAGED_BY)}
    coloured = {(each["kind"], name(each)) for each in application.objects if COLOUR in each["metadata"]["labels"]}
    assert {each["metadata"]["labels"].get(MANAGED_BY) for each in application.objects} == {None, "switchover"}
    route = {
        "gateway": {("HTTPRoute", "shop")},
        "ingress-nginx": {("Ingress", "shop"), ("Ingress", "shop-canary")},
        "stable-service": {("Service", "shop-stable")},
    }
    assert driven == coloured | route[application.route]
    assert len(coloured) == 10


def test_the_route_of_a_gateway_names_both_colours_for_users_and_one_for_a_tester(application: Rendered) -> None:
    if application.route != "gateway":
        assert not application.all("HTTPRoute", "Gateway")
        return
    route = application.one("HTTPRoute", "shop")["spec"]
    traffic, *previews = route["rules"]
    assert {each["name"]: each["weight"] for each in traffic["backendRefs"]} == {"shop-blue": 100, "shop-green": 0}
    assert "headers" not in traffic["matches"][0]
    seen = {}
    for rule in previews:
        (match,) = rule["matches"]
        (header,) = match["headers"]
        assert header["name"] == "x-switchover-colour"
        seen[header["value"]] = [each["name"] for each in rule["backendRefs"]]
    assert seen == {"blue": ["shop-blue"], "green": ["shop-green"]}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_gateway_serves_tls_with_the_certificate_and_sends_plain_requests_there(
    applications: dict[tuple[str, str], Rendered], environment: str
) -> None:
    application = applications[environment, "gateway"]
    (gateway,) = application.all("Gateway")
    https = next(each for each in gateway["spec"]["listeners"] if each["protocol"] == "HTTPS")
    certificate = application.one("Certificate", "shop")["spec"]
    assert https["tls"]["certificateRefs"] == [{"name": certificate["secretName"]}]
    route = application.one("HTTPRoute", "shop")["spec"]
    assert route["parentRefs"] == [{"name": name(gateway), "sectionName": https["name"]}]
    assert route["hostnames"] == certificate["dnsNames"]
    (rule,) = application.one("HTTPRoute", "shop-to-https")["spec"]["rules"]
    assert "backendRefs" not in rule


def test_the_ingress_variant_names_both_colours_and_begins_without_a_share_for_green(application: Rendered) -> None:
    if application.route != "ingress-nginx":
        assert not application.all("Ingress")
        return
    backends = {}
    for each in application.all("Ingress"):
        (rule,) = each["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        backends[name(each)] = path["backend"]["service"]["name"]
        assert (
            [rule["host"]]
            == each["spec"]["tls"][0]["hosts"]
            == application.one("Certificate", "shop")["spec"]["dnsNames"]
        )
    assert backends == {"shop": "shop-blue", "shop-canary": "shop-green"}
    annotations = application.one("Ingress", "shop-canary")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/canary"] == "true"
    assert annotations["nginx.ingress.kubernetes.io/canary-weight"] == "0"


def test_only_the_variant_without_a_router_has_a_stable_service(application: Rendered) -> None:
    assert ("shop-stable" in application.names("Service")) == (application.route == "stable-service")


def test_the_metrics_have_a_service_per_colour_that_no_route_leads_to(application: Rendered) -> None:
    for colour in COLOURS:
        service = application.one("Service", f"shop-metrics-{colour}")["spec"]
        assert service["clusterIP"] == "None"
        assert [each["targetPort"] for each in service["ports"]] == ["metrics"]
    routes = json.dumps(application.all("HTTPRoute", "Ingress"))
    assert "metrics" not in routes


def test_nothing_comes_in_or_goes_out_but_what_a_policy_names(application: Rendered) -> None:
    deny = application.one("NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for each in application.all("NetworkPolicy"):
        for rule in each["spec"].get("ingress", []):
            assert rule["from"]
            assert {port["port"] for port in rule["ports"]} <= PORTS_OF_PODS
        for rule in each["spec"].get("egress", []):
            assert rule["to"]
    assert "0.0.0.0/0" not in json.dumps(application.all("NetworkPolicy"))
    assert [name(each) for each in application.all("NetworkPolicy") if "egress" in each["spec"]] == ["allow-dns"]


def test_no_value_of_a_secret_is_committed_and_nothing_renders_without_one(tmp_path: Path) -> None:
    for example in MANIFESTS.rglob("*.env.example"):
        lines = example.read_text(encoding="utf-8").splitlines()
        assert all(line.startswith("#") or line.endswith("=") for line in lines)
    folder = copy_manifests(tmp_path) / "application/overlays/production"
    (folder / "secrets.env").unlink()
    done = run_kustomize(folder)
    assert done.returncode != 0
    assert "secrets.env" in done.stderr


def test_the_environments_share_everything_but_their_own_names(applications: dict[tuple[str, str], Rendered]) -> None:
    staging, production = (copy.deepcopy(applications[each, "gateway"]) for each in ("staging", "production"))
    assert {(each["kind"], name(each)) for each in staging.objects if each["kind"] != "Namespace"} == {
        (each["kind"], name(each)) for each in production.objects if each["kind"] != "Namespace"
    }
    images = [
        {template["spec"]["containers"][0]["image"] for template in each.pod_templates()}
        for each in (staging, production)
    ]
    assert all(len(each) == 1 for each in images)
    assert images[0] != images[1]
