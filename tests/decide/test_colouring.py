from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.colour_names import LABEL_COLOUR, LABEL_MIGRATION, LABEL_SERVICE
from switchover.decide.colouring import ColourObjects, colour_objects
from switchover.decide.config_references import Reference
from switchover.decide.kube_reading import Reading, Wanted, read_workload, with_copies
from switchover.decide.kube_selectors import find_two_colour_selectors, selects
from switchover.decide.migration_job import migration_job
from switchover.model import (
    Artifact,
    Colour,
    ConfigCopy,
    Manifest,
    Migration,
    Migrations,
    MigrationStep,
    Release,
    Workload,
)

DIGEST = "sha256:" + "a" * 64
REPOSITORY = "registry.example.com/acme/shop"
IMAGE = f"{REPOSITORY}@{DIGEST}"
RELEASE = Release("shop", "1.2.0", Artifact("shop", "1.2.0", "image", DIGEST, 1), "0" * 40)
WANTED = Wanted("shop", "shop", None, REPOSITORY, "http", "acme")
OWN = {"matchLabels": {"app": "shop"}}


def a_container(**changes: Any) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": "shop:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
    }
    return {name: value for name, value in (container | changes).items() if value is not None}


def a_deployment(name: str = "shop", labels: dict[str, str] | None = None, **pods: Any) -> dict[str, Any]:
    labels = labels or {"app": "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"team": "a"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [a_container()]} | pods},
        },
    }


def a_scaler(name: str = "shop", **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    bounds = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 10}
    metadata = {"name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": bounds | spec,
    }


def a_budget(selector: dict[str, Any] | None = None, name: str = "shop") -> dict[str, Any]:
    spec = {"minAvailable": 1, "selector": OWN if selector is None else selector}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def a_service(selector: dict[str, str] | None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"selector": selector, **spec},
    }


def read(*documents: dict[str, Any], **changes: Any) -> Reading:
    return read_workload(documents, replace(WANTED, **changes))


def manifest_of(*documents: dict[str, Any], **changes: Any) -> Manifest:
    reading = read(*documents, **changes)
    assert reading.obstacles == ()
    assert reading.manifest is not None
    return reading.manifest


def coloured(manifest: Manifest, colour: Colour = Colour.GREEN, size: int = 3, **changes: Any) -> ColourObjects:
    workload = Workload((), 2, "/healthz", manifest=manifest, **{"max_replicas": 10, **changes})
    return colour_objects(RELEASE, workload, manifest, colour, size=size, identity="one")


def places(reading: Reading) -> list[str]:
    return [obstacle.place for obstacle in reading.obstacles]


# --- reading --------------------------------------------------------------------------------------------


def test_the_size_is_that_of_the_autoscaler_else_that_of_the_deployment() -> None:
    assert (read(a_deployment()).replicas, read(a_deployment()).max_replicas) == (3, None)
    scaled = read(a_deployment(), a_scaler())
    assert (scaled.replicas, scaled.max_replicas) == (2, 10)
    plain = a_deployment()
    del plain["spec"]["replicas"]
    assert read(plain).replicas is None


def test_a_pod_without_a_readiness_probe_is_refused_by_the_field() -> None:
    (obstacle,) = read(a_deployment(containers=[a_container(readinessProbe=None)])).obstacles
    assert obstacle.place == "Deployment shop, spec.template.spec.containers[web].readinessProbe"
    assert obstacle.found == "none"


@pytest.mark.parametrize(
    ("documents", "changes", "place"),
    [
        ([], {}, "Deployment shop"),
        ([a_deployment(), a_deployment()], {}, "Deployment shop"),
        ([{**a_deployment(), "kind": "StatefulSet"}], {}, "Deployment shop"),
        ([{**a_deployment(), "apiVersion": "extensions/v1beta1"}], {}, "Deployment shop, apiVersion"),
        (
            [a_deployment(containers=[a_container(), a_container(name="b")])],
            {},
            "Deployment shop, spec.template.spec.containers",
        ),
        ([a_deployment()], {"container": "other"}, "Deployment shop, spec.template.spec.containers"),
        ([a_deployment()], {"port": "grpc"}, "Deployment shop, spec.template.spec.containers[web].ports"),
        ([a_deployment()], {"port": "8081"}, "Deployment shop, spec.template.spec.containers[web].ports"),
        ([a_deployment()], {"service": "cart"}, None),
        (
            [a_deployment(labels={LABEL_SERVICE: "cart"})],
            {},
            f"Deployment shop, spec.template.metadata.labels[{LABEL_SERVICE}]",
        ),
        ([a_deployment(), a_scaler(), a_scaler()], {}, "HorizontalPodAutoscaler shop, spec.scaleTargetRef"),
        (
            [a_deployment(), {**a_scaler(), "apiVersion": "autoscaling/v1"}],
            {},
            "HorizontalPodAutoscaler shop, apiVersion",
        ),
        ([a_deployment(), a_scaler(minReplicas=11)], {}, "HorizontalPodAutoscaler shop, spec.maxReplicas"),
        ([a_deployment(), a_budget(), a_budget({})], {}, "PodDisruptionBudget shop, spec.selector"),
        ([a_deployment(), a_service({"app": "shop"})], {}, "Service shop, spec.selector"),
        ([a_deployment(), a_service({"app": "shop"}, clusterIP="None")], {}, None),
        ([a_deployment(), a_service({"app": "shop", LABEL_COLOUR: "blue"})], {}, None),
        ([a_deployment(), a_service({"app": "cart"})], {}, None),
        ([a_deployment(), a_service(None)], {}, None),
    ],
)
def test_each_mistake_has_its_place(documents: list[dict[str, Any]], changes: dict[str, Any], place: str) -> None:
    assert places(read(*documents, **changes)) == ([place] if place else [])


def test_a_selector_that_does_not_mean_the_pods_is_refused() -> None:
    deployment = a_deployment()
    deployment["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    assert places(read(deployment)) == ["Deployment shop, spec.selector"]


def test_manifests_of_another_namespace_are_refused() -> None:
    deployment = a_deployment()
    deployment["metadata"]["namespace"] = "other"
    assert places(read(deployment)) == ["Deployment shop, metadata.namespace"]
    deployment["metadata"]["namespace"] = "acme"
    assert places(read(deployment)) == []


def test_all_mistakes_are_told_at_once() -> None:
    reading = read(a_deployment(containers=[a_container(readinessProbe=None, ports=None)]), a_scaler(minReplicas=0))
    assert len(reading.obstacles) == 3
    assert reading.manifest is None


def test_what_is_of_no_expected_shape_is_an_obstacle_and_no_crash() -> None:
    shapes: list[Any] = [None, [], "x", {"template": None}, {"template": {"spec": {"containers": "x"}}}]
    for spec in shapes:
        assert read({**a_deployment(), "spec": spec}).obstacles


def test_a_set_that_spells_out_both_colours_is_read_without_the_colour() -> None:
    volumes = [{"name": "v", "secret": {"secretName": "keys-blue"}}]
    spread = [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "shop", LABEL_COLOUR: "blue"}}}]
    blue = a_deployment(
        "shop-blue", {"app": "shop", LABEL_COLOUR: "blue"}, volumes=volumes, topologySpreadConstraints=spread
    )
    green = json.loads(json.dumps(blue).replace("blue", "green"))
    reading = read(green, blue, a_scaler("shop-blue"), a_scaler("shop-green"))
    assert reading.obstacles == ()
    assert reading.references == (Reference("Secret", "keys"),)
    assert reading.manifest is not None
    assert "blue" not in reading.manifest.objects
    assert "green" not in reading.manifest.objects


def test_colours_that_are_spelled_out_differently_are_refused_by_the_field() -> None:
    blue = a_deployment("shop-blue", {"app": "shop", LABEL_COLOUR: "blue"})
    green = a_deployment("shop-green", {"app": "shop", LABEL_COLOUR: "green"}, terminationGracePeriodSeconds=5)
    assert places(read(blue, green)) == ["Deployment shop-green, spec.template.spec.terminationGracePeriodSeconds"]


def test_every_way_to_refer_to_configuration_is_found_and_renamed() -> None:
    pods: dict[str, Any] = {
        "volumes": [
            {"name": "a", "configMap": {"name": "c1"}},
            {"name": "b", "secret": {"secretName": "s1", "optional": True}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "c2"}}, {"secret": {"name": "s2"}}]}},
            {"name": "d", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
        ],
        "initContainers": [{"name": "i", "image": "x", "envFrom": [{"configMapRef": {"name": "c3"}}]}],
        "containers": [
            a_container(
                envFrom=[{"secretRef": {"name": "s3"}}],
                env=[
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c4", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s4", "key": "k", "optional": True}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s2", "key": "k", "optional": True}}},
                ],
            )
        ],
        "imagePullSecrets": [{"name": "registry"}],
    }
    reading = read(a_deployment(**pods))
    assert [(each.name, each.optional) for each in reading.references] == [
        *((f"c{n}", False) for n in (1, 2, 3, 4)),
        ("s1", True),
        ("s2", False),
        ("s3", False),
        ("s4", True),
    ]
    assert reading.manifest is not None
    copies = tuple(ConfigCopy(each.kind, each.name, f"{each.name}-copied") for each in reading.references)
    renamed = with_copies(reading.manifest, copies)
    assert renamed.copies == copies
    assert renamed.objects.count("-copied") == 9
    assert "kube-root-ca.crt" in renamed.objects
    assert '"registry"' in renamed.objects


def test_what_the_user_changes_about_replicas_alone_leaves_the_manifest_as_it_is() -> None:
    other = a_deployment()
    other["spec"]["replicas"] = 7
    other["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    other["status"] = {"replicas": 3}
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:2.0.0"
    assert manifest_of(other) == manifest_of(a_deployment())


# --- colouring ------------------------------------------------------------------------------------------


def test_a_colour_is_run_by_digest_and_told_what_it_is() -> None:
    deployment = a_deployment(
        initContainers=[{"name": "prepare", "image": "shop:1.0.0"}],
        containers=[a_container(env=[{"name": "SWITCHOVER_COLOUR", "value": "x"}, {"name": "MODE", "value": "a"}])],
    )
    made = coloured(manifest_of(deployment), environment={"MODE": "b"}).deployment
    pods = made["spec"]["template"]["spec"]
    assert [each["image"] for each in (*pods["initContainers"], *pods["containers"])] == [IMAGE, IMAGE]
    variables = {each["name"]: each["value"] for each in pods["containers"][0]["env"]}
    assert variables == {"MODE": "b", "SWITCHOVER_VERSION": "1.2.0", "SWITCHOVER_COLOUR": "green"}
    assert made["metadata"]["name"] == "shop-green"
    assert made["spec"]["revisionHistoryLimit"] == 0
    assert made["spec"]["replicas"] == 3


def test_other_images_are_left_alone() -> None:
    proxy = {"name": "proxy", "image": "proxy:1"}
    made = coloured(manifest_of(a_deployment(containers=[a_container(), proxy]), container="web")).deployment
    assert made["spec"]["template"]["spec"]["containers"][1] == proxy


@pytest.mark.parametrize(("port", "target"), [("http", "http"), ("8080", 8080)])
def test_the_service_listens_on_80_whatever_the_container_does(port: str, target: object) -> None:
    service = coloured(manifest_of(a_deployment(), port=port)).service
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}]


def test_the_autoscaler_of_a_colour_may_not_go_below_its_first_size() -> None:
    scaler = coloured(manifest_of(a_deployment(), a_scaler(behavior={"x": 1})), size=4).scaler
    assert scaler is not None
    assert scaler["spec"]["scaleTargetRef"]["name"] == "shop-green"
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (4, 10)
    assert scaler["spec"]["behavior"] == {"x": 1}


def test_pods_keep_apart_from_their_own_colour_only() -> None:
    def term(selector: dict[str, Any]) -> dict[str, Any]:
        return {"topologyKey": "host", "labelSelector": selector}

    others, everybody = {"matchLabels": {"app": "database"}}, dict[str, Any]()
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [term(OWN), term(others), term(everybody)]}
    made = coloured(manifest_of(a_deployment(affinity={"podAntiAffinity": rules}))).deployment
    found = made["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    own, other, all_of_them = (
        each["labelSelector"] for each in found["requiredDuringSchedulingIgnoredDuringExecution"]
    )
    assert own["matchLabels"][LABEL_COLOUR] == "green"
    assert (other, all_of_them) == (others, everybody)


NAMES = st.text("abcdefghij", min_size=1, max_size=6)
LABELS = st.dictionaries(NAMES, NAMES, min_size=1, max_size=4)
RESOURCES = st.dictionaries(NAMES, st.one_of(NAMES, st.integers(), st.lists(NAMES, max_size=3)), max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    labels = draw(LABELS)
    part = dict(draw(st.lists(st.sampled_from(sorted(labels.items())), min_size=1, max_size=3)))
    spread = [{"topologyKey": "zone", "labelSelector": {"matchLabels": draw(st.sampled_from([part, {"zz": "q"}]))}}]
    deployment = a_deployment(
        labels=labels,
        topologySpreadConstraints=spread,
        containers=[a_container(resources=draw(RESOURCES))],
        nodeSelector=draw(LABELS),
    )
    found = [deployment]
    if draw(st.booleans()):
        found.append(a_scaler(metrics=draw(st.lists(RESOURCES, max_size=2))))
    if draw(st.booleans()):
        found.append(a_budget({"matchLabels": part}))
    return found


@given(documents(), st.integers(1, 20))
def test_no_selector_of_one_colour_means_the_pods_of_the_other(found: list[dict[str, Any]], size: int) -> None:
    manifest = manifest_of(*found)
    sets = {colour: coloured(manifest, colour, size) for colour in Colour}
    for colour, made in sets.items():
        mine = made.deployment["spec"]["template"]["metadata"]["labels"]
        others = sets[colour.other].deployment["spec"]["template"]["metadata"]["labels"]
        selectors = [made.deployment["spec"]["selector"], {"matchLabels": made.service["spec"]["selector"]}]
        selectors += [made.budget["spec"]["selector"]] if made.budget else []
        for selector in selectors:
            assert selects(selector, mine)
            assert not selects(selector, others)
        for constraint in made.deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert not selects(constraint["labelSelector"], others)
        objects = [each for each in (made.service, made.budget) if each]
        assert find_two_colour_selectors(objects, "shop", mine) == ()
        if made.scaler:
            assert made.scaler["spec"]["scaleTargetRef"]["name"] == made.deployment["metadata"]["name"]


@given(documents())
def test_deriving_is_deterministic_and_changes_nothing_that_it_was_given(found: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(found)
    first, second = manifest_of(*found), manifest_of(*json.loads(json.dumps(found)))
    assert first == second
    assert coloured(first) == coloured(second)
    assert found == before


@given(documents())
def test_reading_a_colour_that_was_derived_gives_the_same_colour_again(found: list[dict[str, Any]]) -> None:
    made = coloured(manifest_of(*found))
    written = [each for each in (made.deployment, made.scaler, made.budget) if each]
    again = coloured(manifest_of(*written))
    for one, other in ((made.deployment, again.deployment), (made.scaler, again.scaler), (made.budget, again.budget)):
        assert (one or {}).get("spec") == (other or {}).get("spec")


@given(documents())
def test_what_the_user_wrote_is_kept(found: list[dict[str, Any]]) -> None:
    made = coloured(manifest_of(*found))
    wrote, have = (each["spec"]["template"] for each in (found[0], made.deployment))
    assert have["metadata"]["labels"].items() >= wrote["metadata"]["labels"].items()
    assert have["spec"]["nodeSelector"] == wrote["spec"]["nodeSelector"]
    container = wrote["spec"]["containers"][0]
    for field in ("resources", "readinessProbe", "ports", "name"):
        assert have["spec"]["containers"][0][field] == container[field]
    for obj in found[1:]:
        kept = made.scaler if obj["kind"] == "HorizontalPodAutoscaler" else made.budget
        assert kept is not None
        for field in ("metrics", "minAvailable"):
            assert kept["spec"].get(field) == obj["spec"].get(field)


# --- migrations -----------------------------------------------------------------------------------------


def a_job(deployment: dict[str, Any], attempt: str = "run-1", seconds: float = 90.5) -> dict[str, Any]:
    manifest = manifest_of(deployment, container="web")
    migrations = Migrations(expand=("app", "migrate"), timeout_seconds=seconds)
    workload = Workload((), 2, "/healthz", manifest=manifest, migrations=migrations)
    return migration_job(Migration(MigrationStep.EXPAND, RELEASE, workload), manifest, attempt)


def test_a_migration_runs_the_command_once_where_the_release_would_run() -> None:
    proxy = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
    web = a_container(args=["serve"], livenessProbe={}, lifecycle={}, resources={"limits": {"memory": "1Gi"}})
    sidecar = {"name": "logs", "image": "logs:1"}
    job = a_job(a_deployment(initContainers=[proxy], containers=[web, sidecar], serviceAccountName="shop"))
    pods = job["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    assert container["command"] == ["app", "migrate"]
    assert container["image"] == IMAGE
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert not {"args", "ports", "readinessProbe", "livenessProbe", "lifecycle"} & set(container)
    assert (pods["restartPolicy"], pods["serviceAccountName"], pods["initContainers"]) == ("Never", "shop", [proxy])
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 91)


def test_no_service_and_no_budget_means_the_pod_of_a_migration() -> None:
    labels = a_job(a_deployment())["spec"]["template"]["metadata"]["labels"]
    assert not selects(OWN, labels)
    for colour in Colour:
        assert not selects(
            {"matchLabels": coloured(manifest_of(a_deployment()), colour).service["spec"]["selector"]}, labels
        )
    assert labels[LABEL_MIGRATION] == "shop"


def test_the_name_of_a_migration_is_that_of_its_attempt() -> None:
    names = [a_job(a_deployment(), attempt)["metadata"]["name"] for attempt in ("a", "a", "b")]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("shop-expand-")
