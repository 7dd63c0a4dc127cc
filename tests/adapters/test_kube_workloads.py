from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.kube_kinds import KubeObject
from switchover.adapters.kube_workloads import KubeService, KubeWorkloads
from switchover.errors import InputError
from switchover.model import Colour, Container, Workload
from tests.contracts.kube_case import REPOSITORY, KubeCase
from tests.kube_emulator import KubeEmulator

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: app
          image: shop
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 3
  maxReplicas: 7
"""
WORKLOAD = Workload((), 2, "/ready", environment={"A": "b"})


@pytest.fixture
def case(kube_emulator: KubeEmulator) -> Iterator[KubeCase]:
    api = kube_emulator.api()
    kube_emulator.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"x": "1"}})
    yield KubeCase.on(kube_emulator, api)
    api.close()


@pytest.fixture
def workloads(case: KubeCase, tmp_path: Path) -> KubeWorkloads:
    (tmp_path / "shop.yaml").write_text(MANIFESTS)
    return KubeWorkloads(case.api, case.copies, {"shop": KubeService(tmp_path, "shop", None, REPOSITORY, "http")})


def test_a_workload_is_completed_and_can_be_started(case: KubeCase, workloads: KubeWorkloads) -> None:
    workload = workloads.complete("shop", WORKLOAD)
    assert (workload.replicas, workload.max_replicas, workload.health_path) == (3, 7, "/ready")
    assert workload.manifest is not None
    assert [each.source for each in workload.manifest.copies] == ["settings"]
    assert workloads.complete("shop", WORKLOAD) == workload
    assert workloads.find_obstacles("shop", workload) == ()
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, workload, epoch=1)
    assert case.slots.read_status("shop", Colour.BLUE).ready
    assert workloads.find_obstacles("shop", workload) == ()


def test_everything_that_is_wrong_is_told_at_once(workloads: KubeWorkloads, tmp_path: Path) -> None:
    broken = MANIFESTS.replace("readinessProbe", "livenessProbe").replace("maxReplicas: 7", "maxReplicas: 1")
    (tmp_path / "shop.yaml").write_text(broken)
    with pytest.raises(InputError) as raised:
        workloads.complete("shop", WORKLOAD)
    assert "containers[app].readinessProbe" in str(raised.value)
    assert "spec.maxReplicas" in str(raised.value)


def test_configuration_that_is_not_in_the_cluster_is_told(workloads: KubeWorkloads, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(MANIFESTS.replace("settings", "others"))
    with pytest.raises(InputError, match="ConfigMap others"):
        workloads.complete("shop", WORKLOAD)


def test_configuration_that_was_not_applied_is_told(workloads: KubeWorkloads, tmp_path: Path) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {x: '2'}\n"
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(InputError, match="ConfigMap settings, data"):
        workloads.complete("shop", WORKLOAD)


def test_a_service_without_manifests_is_told(workloads: KubeWorkloads) -> None:
    with pytest.raises(InputError, match="cart has no manifests"):
        workloads.complete("cart", WORKLOAD)


@pytest.mark.parametrize(
    ("obj", "place"),
    [
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "all"}, "spec": {"selector": {"app": "shop"}}},
            "Service all, spec.selector",
        ),
        (
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "all"},
                "spec": {"selector": {"matchLabels": {"app": "shop"}}},
            },
            "PodDisruptionBudget all, spec.selector",
        ),
        (
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "shop-green"},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "x"}},
                    "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}},
                },
            },
            "Deployment shop-green, spec.selector",
        ),
    ],
)
def test_what_stands_in_the_way_in_the_cluster_is_told(
    case: KubeCase, workloads: KubeWorkloads, obj: KubeObject, place: str
) -> None:
    case.emulator.put(obj)
    obstacles = workloads.find_obstacles("shop", workloads.complete("shop", WORKLOAD))
    assert [each.place for each in obstacles] == [place]


def test_what_has_no_effect_on_kubernetes_is_refused(case: KubeCase, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(MANIFESTS)
    placed = KubeService(tmp_path, "shop", None, REPOSITORY, "http", replicas=4)
    relied_on = replace(WORKLOAD, secret_variables=("TOKEN",), memory_limit_mb=64)
    with pytest.raises(InputError) as caught:
        KubeWorkloads(case.api, case.copies, {"shop": placed}).complete("shop", relied_on)
    assert caught.value.problem.found == (
        "services.shop.secret_variables: TOKEN; services.shop.memory_limit_mb: 64 MB; "
        "`replicas` of shop in the environment: 4, and 3 in the manifests, which counts"
    )


def test_replicas_of_the_environment_count_where_the_manifests_say_none(case: KubeCase, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(MANIFESTS.partition("---")[0])
    placed = KubeService(tmp_path, "shop", None, REPOSITORY, "http", replicas=4)
    workloads = KubeWorkloads(case.api, case.copies, {"shop": placed})
    assert workloads.complete("shop", replace(WORKLOAD, replicas=4)).replicas == 4


def test_a_service_that_runs_on_a_machine_too_may_have_settings_for_there(workloads: KubeWorkloads) -> None:
    for local in ({"command": ("shop",)}, {"container": Container(8080)}):
        workload = replace(WORKLOAD, memory_limit_mb=64, secret_variables=("TOKEN",), **local)
        assert workloads.complete("shop", workload).replicas == 3
