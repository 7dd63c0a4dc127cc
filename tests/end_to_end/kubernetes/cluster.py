"""The cluster that the suite runs in, and what an administrator does there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from switchover.adapters.kube_manifests import find_kubectl
from tests.cluster import releases
from tests.cluster.control import ask
from tests.cluster.go_programs import built
from tests.cluster.images import push_image

FACTS = "SWITCHOVER_TEST_CLUSTER"
# Long enough for a gateway to hear that a replica leaves, and short enough for a suite with a hundred of them.
SHUTDOWN_DELAY_MS = "1000"


class NoClusterError(Exception):
    """There is no cluster to run in; its text is the reason of a skip."""


@dataclass(frozen=True, slots=True)
class TestCluster:
    """Where everything is. `gateway` is the host:port of the data plane."""

    __test__ = False

    kubeconfig: Path
    registry: str
    gateway: str
    gateway_namespace: str
    gateway_name: str
    prometheus: str
    authority: Mapping[str, str]
    control_socket: Path

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl says as the administrator; `AssertionError` with its words when it fails."""
        done = subprocess.run(
            [find_kubectl(), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, namespace: str, documents: str) -> None:
        """Server-side apply of YAML documents."""
        self.kubectl("apply", "--server-side", "--namespace", namespace, "-f", "-", stdin=documents)

    def get(self, namespace: str, kind: str, name: str) -> dict[str, Any]:
        """One object as it is now."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--namespace", namespace, "-o", "json"))
        return found

    def list(self, namespace: str, kind: str, *selectors: str) -> list[dict[str, Any]]:
        """All objects of a kind with these labels (`name=value`)."""
        chosen = ("--selector", ",".join(selectors)) if selectors else ()
        found = json.loads(self.kubectl("get", kind, "--namespace", namespace, *chosen, "-o", "json"))
        items: list[dict[str, Any]] = found["items"]
        return items

    def publish(self, repository: str, version: str, behaviour: Mapping[str, str]) -> str:
        """Push a release of the service under test, `version` being its tag; its digest.

        `behaviour` are variables of tests/cluster/app/behaviour.go.
        """
        environment = {"SHUTDOWN_DELAY_MS": SHUTDOWN_DELAY_MS, **behaviour, "VERSION": version}
        image = releases.release_image(built("app"), environment)
        with httpx.Client(base_url=f"http://{self.registry}", timeout=30, trust_env=False) as client:
            return push_image(client, repository, version, image)

    def control(self, action: str, part: str) -> None:
        """Have a part of the cluster stopped, started, killed or restarted (tests/cluster/control.py)."""
        ask(self.control_socket, action, part)


def find_cluster() -> TestCluster:
    """The cluster of `python -m tests.cluster.run`; `NoClusterError` outside of it."""
    place = os.environ.get(FACTS)
    if not place:
        message = f"no end-to-end test on Kubernetes: {FACTS} is not set, run it with `make e2e`"
        raise NoClusterError(message)
    facts = json.loads(Path(place).read_text(encoding="utf-8"))
    return TestCluster(
        kubeconfig=Path(facts["kubeconfig"]),
        registry=facts["registry"],
        gateway=facts["gateway"]["address"],
        gateway_namespace=facts["gateway"]["namespace"],
        gateway_name=facts["gateway"]["name"],
        prometheus=facts["prometheus_url"],
        authority=facts["client_authority"],
        control_socket=Path(facts["control_socket"]),
    )
