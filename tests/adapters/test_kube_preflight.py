"""The preflight on an emulated API server: what keeps a deployment from beginning, and what is kept before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from switchover.adapters.cluster_facts import PlacedService
from switchover.adapters.kube_kinds import CONFIG_MAP, HTTP_ROUTE, KubeObject
from switchover.adapters.kube_preflight import KubePreflight, SignalObstacles
from switchover.errors import FencedError, InputError, TargetError
from switchover.model import Colour, Obstacle, Release, Step, Workload
from tests.contracts.kube_case import REPOSITORY, kube_workload
from tests.contracts.kube_route_case import KubeRouteCase, kube_route_case
from tests.kube_emulator import KubeEmulator

CANARY = (Step(10, 1), Step(100, 1))
INSTANT = (Step(100, 1),)
POD: KubeObject = {
    "containers": [
        {
            "name": "app",
            "image": REPOSITORY,
            "ports": [{"name": "http", "containerPort": 8080}],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
            "resources": {"requests": {"cpu": "100m"}},
        }
    ]
}


class Published:
    """Releases that are there, unless they are `gone`."""

    def __init__(self) -> None:
        self.gone = False

    def find(self, service: str, version: str) -> Release | None:
        raise NotImplementedError

    def list_releases(self, service: str) -> tuple[Release, ...]:
        raise NotImplementedError

    def check(self, release: Release) -> None:
        if self.gone:
            digest = release.artifact.digest
            raise TargetError("it is gone", expected=digest, found="no such digest", next_step="push it again")


def deployment(**spec: object) -> KubeObject:
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": POD}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def settings(level: str = "INFO") -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"LEVEL": level}}


@pytest.fixture
def case(kube_emulator: KubeEmulator) -> Iterator[KubeRouteCase]:
    with kube_route_case(kube_emulator) as case:
        kube_emulator.put(settings())
        yield case


@pytest.fixture
def releases() -> Published:
    return Published()


def preflight(
    case: KubeRouteCase, releases: Published, folder: Path, signals: SignalObstacles | None = lambda *_: ()
) -> KubePreflight:
    place = PlacedService("shop", None, False, "/healthz", REPOSITORY, folder, None, None, "http")  # noqa: FBT003 a record
    return KubePreflight(
        api=case.below.api,
        fence=case.below.kube_fence,
        environment="production",
        places={"shop": place},
        copies=case.below.copies,
        router=case.router,
        releases=releases,
        find_signal_obstacles=signals,
    )


def write(folder: Path, *objects: KubeObject) -> Path:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return folder


def find(
    case: KubeRouteCase, releases: Published, folder: Path, *, steps: tuple[Step, ...] = CANARY, **changes: object
) -> tuple[Obstacle, ...]:
    workload = kube_workload(**changes)
    return preflight(case, releases, folder).find_obstacles(case.publish("1.0.0"), workload, Colour.GREEN, steps)


# --- complete


def test_a_workload_is_completed_from_manifests_and_cluster(
    case: KubeRouteCase, releases: Published, tmp_path: Path
) -> None:
    asked = Workload((), 2, "/healthz")
    workload = preflight(case, releases, write(tmp_path, deployment(), settings())).complete("shop", asked)
    assert workload.manifest is not None
    assert workload.replicas == 3, "the manifests say so"
    (copy,) = workload.manifest.copies
    assert (copy.kind, copy.source) == ("ConfigMap", "settings")
    assert copy.name in workload.manifest.objects
    assert not case.below.api.read(CONFIG_MAP, copy.name), "nothing was changed"


def test_what_is_wrong_with_the_manifests_is_said_at_once(
    case: KubeRouteCase, releases: Published, tmp_path: Path
) -> None:
    without_probe = json.loads(json.dumps(deployment()))
    del without_probe["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    write(tmp_path, without_probe, settings("DEBUG"))
    with pytest.raises(InputError) as caught:
        preflight(case, releases, tmp_path).complete("shop", kube_workload())
    assert "readinessProbe" in str(caught.value)
    write(tmp_path, deployment(), settings("DEBUG"))
    with pytest.raises(InputError, match="other content in the cluster"):
        preflight(case, releases, tmp_path).complete("shop", kube_workload())
    case.below.emulator.store.delete(CONFIG_MAP, case.below.emulator.namespace, "settings")
    with pytest.raises(InputError, match="ConfigMap settings"):
        preflight(case, releases, tmp_path).complete("shop", kube_workload())


def test_a_service_without_manifests_is_refused(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cart"):
        preflight(case, releases, tmp_path).complete("cart", kube_workload())
    with pytest.raises(InputError, match="manifests"):
        preflight(case, releases, tmp_path / "none").complete("shop", kube_workload())


# --- obstacles


def test_a_cluster_that_is_ready_has_no_obstacles_and_is_not_changed(
    case: KubeRouteCase, releases: Published, tmp_path: Path
) -> None:
    case.below.emulator.calls.clear()
    assert find(case, releases, tmp_path) == ()
    changing = [path for method, path in case.below.emulator.calls if method != "GET"]
    assert all("selfsubjectaccessreviews" in path for path in changing)


def test_a_missing_namespace_is_the_only_obstacle(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    case.below.emulator.store.namespaces.discard(case.below.emulator.namespace)
    (obstacle,) = find(case, releases, tmp_path)
    assert "kubectl create namespace" in obstacle.fix


def test_a_namespace_that_we_may_not_look_at_is_taken_for_there(
    case: KubeRouteCase, releases: Published, tmp_path: Path
) -> None:
    case.below.emulator.forbid("get", "namespaces")
    assert find(case, releases, tmp_path) == ()


@pytest.mark.parametrize(
    ("verb", "plural"),
    [("patch", "httproutes"), ("create", "deployments"), ("get", "services/proxy"), ("update", "configmaps")],
)
def test_a_forbidden_verb_is_named(
    case: KubeRouteCase, releases: Published, tmp_path: Path, verb: str, plural: str
) -> None:
    case.below.emulator.forbid(verb, plural)
    (obstacle,) = find(case, releases, tmp_path)
    assert f'resources: ["{plural}"], verbs: ["{verb}"]' in obstacle.fix


def test_all_that_is_in_the_way_is_said_together(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    emulator = case.below.emulator
    releases.gone = True
    emulator.store.delete(HTTP_ROUTE, emulator.namespace, "shop")
    hard, used = {"pods": "4"}, {"pods": "2"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}}
    emulator.put({**quota, "status": {"hard": hard, "used": used}})
    found = find(case, releases, tmp_path, replicas=4)
    assert [each.place for each in found] == [
        "HTTPRoute shop",
        "the image of shop 1.0.0",
        "ResourceQuota small, pods",
    ]
    assert "room for 3 pods" in found[2].expected, "one of the four runs already"


def test_a_canary_must_be_counted(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    blind = preflight(case, releases, tmp_path, None)
    release, workload = case.publish("1.0.0"), kube_workload()
    (obstacle,) = blind.find_obstacles(release, workload, Colour.GREEN, CANARY)
    assert "prometheus" in obstacle.place
    assert blind.find_obstacles(release, workload, Colour.GREEN, INSTANT) == ()
    silent = Obstacle("prometheus", "an answer", "silence", "start it")
    seeing = preflight(
        case, releases, tmp_path, lambda _service, _workload, steps: (silent,) if steps == CANARY else ()
    )
    assert seeing.find_obstacles(release, workload, Colour.GREEN, CANARY) == (silent,)
    assert seeing.find_obstacles(release, workload, Colour.GREEN, INSTANT) == ()


# --- back up


def kept(case: KubeRouteCase) -> dict[str, str]:
    found = case.below.api.read(CONFIG_MAP, "switchover-production-backup-shop")
    assert found is not None
    return dict(found["data"])


def test_what_is_live_is_kept_as_it_was_before_the_rollout(
    case: KubeRouteCase, releases: Published, tmp_path: Path
) -> None:
    guard = preflight(case, releases, tmp_path)
    guard.back_up("shop", "one", epoch=1)
    before = kept(case)
    assert {"deployment-shop-blue.json", "service-shop-green.json", "httproute-shop.json"} <= set(before)
    route = json.loads(before["httproute-shop.json"])
    assert "status" not in route
    assert "resourceVersion" not in route["metadata"]
    case.slots.stop("shop", Colour.GREEN, epoch=1)
    guard.back_up("shop", "one", epoch=1)
    assert kept(case) == before
    guard.back_up("shop", "two", epoch=1)
    assert kept(case) != before


def test_secrets_are_not_kept_and_not_even_read(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    case.below.emulator.calls.clear()
    preflight(case, releases, tmp_path).back_up("shop", "one", epoch=1)
    assert not any("/secrets" in path for _, path in case.below.emulator.calls)


def test_a_stale_epoch_keeps_nothing(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    case.fence.epoch = 2
    with pytest.raises(FencedError):
        preflight(case, releases, tmp_path).back_up("shop", "one", epoch=1)


def test_an_image_is_looked_for_by_its_digest(case: KubeRouteCase, releases: Published, tmp_path: Path) -> None:
    releases.gone = True
    (obstacle,) = find(case, releases, tmp_path)
    assert obstacle.expected == case.publish("1.0.0").artifact.digest
