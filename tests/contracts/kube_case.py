"""The contract's cases on Kubernetes: an emulated API server whose controllers act at once, and a real cluster."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from semver import Version

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import POD
from switchover.adapters.kube_slots import KubeSlots, ReadThrottled
from switchover.adapters.system_clock import SystemClock
from switchover.adapters.waiting import wait_until
from switchover.model import Artifact, Colour, ConfigCopy, Manifest, Release, SmokeTest, Workload
from switchover.ports import Clock
from tests.fakes import FakeFence
from tests.kube_controllers import Controllers
from tests.kube_emulator import KubeEmulator
from tests.kube_fixtures import cluster_api

CLUSTER_FACTS = "SWITCHOVER_TEST_CLUSTER"
REPOSITORY = "registry.example.com/acme/shop"
PODS = {
    "containers": [
        {
            "name": "app",
            "image": REPOSITORY,
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        }
    ]
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {},
    "spec": {"template": {"metadata": {}, "spec": PODS}},
}
SCALER = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {}, "spec": {}}
BUDGET = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {}, "spec": {"minAvailable": 1}}


def kube_manifest(*objects: object) -> Manifest:
    """The Deployment and these."""
    return Manifest(json.dumps([DEPLOYMENT, *objects]), "app", REPOSITORY, "http")


def kube_workload(**changes: object) -> Workload:
    """One replica with every companion but an autoscaler."""
    fields: dict[str, object] = {
        "command": (),
        "replicas": 1,
        "health_path": "/healthz",
        "drain_seconds": 1.0,
        "manifest": kube_manifest(BUDGET),
    }
    return Workload(**(fields | changes))  # type: ignore[arg-type]


def kube_release(service: str, version: str) -> Release:
    digest = hashlib.sha256(f"{service} {version}".encode()).hexdigest()
    return Release(service, version, Artifact(service, version, "image", f"sha256:{digest}", 1000), "0123abc")


@dataclass(slots=True)
class SlotsCase:
    """Only the slots: route, signals and prober have contracts of their own."""

    api: KubeApi
    service: str = "shop"
    fence: FakeFence = field(default_factory=FakeFence)
    unneeded: tuple[ConfigCopy, ...] = ()
    read_throttled: ReadThrottled | None = None
    clock: Clock = field(default_factory=SystemClock)
    slots: KubeSlots = field(init=False)
    copies: KubeCopies = field(init=False)
    kube_fence: KubeFence = field(init=False)

    def __post_init__(self) -> None:
        self.kube_fence = KubeFence(self.api, lambda: self.fence.epoch)
        self.copies = KubeCopies(self.api, self.kube_fence, "tests")
        self.slots = self.new_slots()

    def new_slots(self) -> KubeSlots:
        """What another process has: it remembers nothing."""
        return KubeSlots(
            api=self.api,
            fence=self.kube_fence,
            copies=self.copies,
            services=(self.service,),
            clock=self.clock,
            read_unneeded_copies=lambda: self.unneeded,
            read_throttled=self.read_throttled,
        )

    @property
    def router(self) -> NoReturn:
        raise NotImplementedError

    signals = prober = router

    def publish(self, version: str) -> Release:
        return kube_release(self.service, version)

    def wait_ready(self, colour: Colour) -> None:
        assert wait_until(lambda: self.slots.read_status(self.service, colour).ready, 60.0)

    def send(self, requests: int, path: str) -> Counter[str]:
        raise NotImplementedError


@dataclass(slots=True)
class KubeCase(SlotsCase):
    """On the emulator."""

    emulator: KubeEmulator = field(kw_only=True)
    controllers: Controllers = field(kw_only=True)

    @classmethod
    def on(cls, emulator: KubeEmulator, api: KubeApi) -> KubeCase:
        return cls(api, emulator=emulator, controllers=Controllers.on(emulator))

    def pod(self, colour: Colour) -> str:
        """The name of one pod of the colour."""
        return self.pods(colour)[0]

    def pods(self, colour: Colour) -> list[str]:
        listed = self.emulator.store.list(POD, self.emulator.namespace, {"switchover.dev/colour": str(colour)})
        return sorted(each["metadata"]["name"] for each in listed)

    def log(self, colour: Colour, line: str) -> None:
        self.emulator.write_log(self.pod(colour), line)


@dataclass(slots=True)
class ClusterCase(SlotsCase):
    """On a real cluster: pods of the service under test."""

    def publish(self, version: str) -> Release:
        number = int(Version.parse(version).minor) + 1
        digest = cluster_facts()["images"][f"healthy-{number}"].partition("@")[2]
        return Release(self.service, version, Artifact(self.service, version, "image", digest, 1000), "0123abc")

    def log(self, colour: Colour, line: str) -> None:
        asked = SmokeTest("log", f"/log?line={line.replace(' ', '%20')}")
        status, _, _ = self.api.ask_service(f"{self.service}-{colour}", 80, asked)
        assert status == 200


def cluster_facts() -> dict[str, Any]:
    """What `tests.cluster.run` says of the cluster that it made; skips where there is none."""
    file = os.environ.get(CLUSTER_FACTS)
    if not file:
        pytest.skip(f"no test on a real cluster: {CLUSTER_FACTS} is not set")
    facts: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return facts


def cluster_workload() -> Workload:
    """The same as `kube_workload`, of an image that is there."""
    manifest = kube_workload().manifest
    assert manifest is not None
    repository = cluster_facts()["images"]["healthy-1"].partition("@")[0]
    objects = manifest.objects.replace(REPOSITORY, repository)
    return kube_workload(manifest=replace(manifest, objects=objects, repository=repository), ready_seconds=60.0)


@pytest.fixture
def cluster_case() -> Iterator[SlotsCase]:
    cluster_facts()
    with cluster_api() as api:
        yield ClusterCase(api)


@pytest.fixture
def kube_case(kube_emulator: KubeEmulator) -> Iterator[KubeCase]:
    api = kube_emulator.api()
    yield KubeCase.on(kube_emulator, api)
    api.close()
