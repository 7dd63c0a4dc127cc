"""What connecting to an environment on Kubernetes needs, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.adapters.cluster_facts import ClusterFacts, PlacedService
from switchover.adapters.environment_facts import EnvironmentFacts
from switchover.adapters.kube_target import open_cluster
from switchover.adapters.webhook_notifier import SilentNotifier
from switchover.config import parse_config
from switchover.config_cluster import KubernetesConfig
from switchover.errors import InputError
from switchover.model import Colour
from tests.contracts.kube_case import PODS, REPOSITORY, KubeCase, kube_workload
from tests.kube_emulator import KubeEmulator

MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": PODS},
    },
}


def facts(folder: Path, namespace: str) -> EnvironmentFacts:
    settings = KubernetesConfig.model_validate(
        {
            "namespace": namespace,
            "prometheus": {"url": "http://127.0.0.1:9", "preset": "envoy", "token_variable": "PROM"},
        }
    )
    place = PlacedService("shop", None, False, "/healthz", REPOSITORY, folder, None, None, "http")  # noqa: FBT003 a record
    return EnvironmentFacts("production", folder, folder, None, (), ClusterFacts(settings, None, {"shop": place}))


def test_only_reading_signals_needs_their_token(kube_emulator: KubeEmulator, tmp_path: Path) -> None:
    api = kube_emulator.api()
    KubeCase.on(kube_emulator, api)  # with controllers
    known = facts(tmp_path, kube_emulator.namespace)
    ports = open_cluster(known, {}, SilentNotifier(), kube_emulator.configuration)
    record = ports.ledger.read()
    ports.ledger.write(record)
    release = KubeCase.on(kube_emulator, api).publish("1.0.0")
    ports.slots.start(release, Colour.BLUE, kube_workload(), epoch=record.epoch)
    assert ports.slots.read_status("shop", Colour.BLUE).ready
    ports.slots.stop("shop", Colour.BLUE, epoch=record.epoch)
    with pytest.raises(InputError, match="set PROM"):
        ports.signals.read_tallies("shop")
    api.close()


def test_replicas_that_the_manifests_overrule_are_refused_by_preflight(
    kube_emulator: KubeEmulator, tmp_path: Path
) -> None:
    (tmp_path / "shop.yaml").write_text(json.dumps(MANIFEST), encoding="utf-8")
    document = {
        "project": {"name": "acme"},
        "services": {"shop": {"path": ".", "kubernetes": {"image": REPOSITORY, "manifests": "shop.yaml"}}},
        "environments": {
            "production": {
                "target": "kubernetes",
                "kubernetes": {"namespace": kube_emulator.namespace},
                "services": {"shop": {"replicas": 4}},
            }
        },
    }
    config = parse_config(document, tmp_path / "switchover.toml")
    known = EnvironmentFacts.of(config, "production")
    ports = open_cluster(known, {}, SilentNotifier(), kube_emulator.configuration)
    with pytest.raises(InputError, match="4, and 3 in the manifests, which counts"):
        ports.preflight.complete("shop", config.workload("production", "shop"))
