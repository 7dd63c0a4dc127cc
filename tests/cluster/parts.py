"""What the cluster is made of: from programs in the cache to a node that takes pods and what tests are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import gateway, node_programs, prometheus, registry, worker
from tests.cluster.addresses import KUBELET_PORT, NODE, NODE_NAME, REGISTRY
from tests.cluster.cluster import Cluster, Start
from tests.cluster.control_plane import control_plane
from tests.cluster.gateway import GatewayPrograms
from tests.cluster.go_programs import built
from tests.cluster.node_programs import NodePrograms
from tests.cluster.objects import Objects, condition
from tests.cluster.prometheus import PrometheusProgram
from tests.cluster.registry import RegistryProgram
from tests.cluster.releases import publish_all
from tests.cluster.worker import Worker, WorkerPrograms

_PATIENCE = 60.0
_PROMETHEUS = f"{NODE}:{prometheus.PORT}"
_OWN_FOLDERS = ("registry", "contour", "envoy", "prometheus")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that had to be built or downloaded, in the cache."""

    kubernetes: NodePrograms
    worker: WorkerPrograms
    registry: RegistryProgram
    gateway: GatewayPrograms
    prometheus: PrometheusProgram
    app: Path


def prepare() -> Prepared:
    """Fill the cache with all that the cluster needs. Outside its namespaces: this downloads and builds."""
    return Prepared(
        kubernetes=node_programs.prepare(),
        worker=worker.prepare(),
        registry=registry.prepare(),
        gateway=gateway.prepare(),
        prometheus=prometheus.prepare(),
        app=built("app"),
    )


def bring_up(prepared: Prepared, folder: Path, logs: Path, cgroup: str) -> tuple[Cluster, dict[str, Any]]:
    """Start a cluster with its data in this folder; the cluster, and what a test is told of it.

    Inside the namespaces. Returns when the node takes pods, the images are in the registry and the gateway routes.
    """
    plane = control_plane(prepared.kubernetes, folder / "control-plane", logs)
    node = Worker(prepared.worker, prepared.kubernetes, folder / "worker", logs, plane.authority, cgroup)
    own = {name: folder / name for name in _OWN_FOLDERS}
    for place in own.values():
        place.mkdir()
    first: Mapping[str, Start] = {
        "etcd": plane.etcd,
        "containerd": node.containerd,
        "registry": lambda: registry.start(prepared.registry, own["registry"], logs, REGISTRY),
        "prometheus": lambda: prometheus.start(
            prepared.prometheus,
            own["prometheus"],
            logs,
            _PROMETHEUS,
            envoy=gateway.STATS,
            kubelet=f"{NODE}:{KUBELET_PORT}",
            client=plane.kubelet_client,
        ),
    }
    then: Mapping[str, Start] = {
        "kube-controller-manager": plane.controller_manager,
        "kube-scheduler": plane.scheduler,
        "kubelet": node.kubelet,
        "kube-proxy": node.proxy,
        "contour": lambda: gateway.start_contour(prepared.gateway, own["contour"], logs, plane.admin),
    }
    last: Mapping[str, Start] = {"envoy": lambda: gateway.start_envoy(prepared.gateway, own["envoy"], logs)}
    cluster = Cluster([first, {"kube-apiserver": plane.api_server}, then, last])
    cluster.start_all()
    with cluster.timed("(images into the registry)"):
        images = publish_all(REGISTRY, prepared.app)
    with cluster.timed("(node and gateway ready)"):
        _await_node(plane.admin)
        gateway.await_programmed(plane.admin)
        prometheus.await_scraping(_PROMETHEUS)
    authority = plane.authority.pair
    return cluster, {
        "kubeconfig": str(plane.admin),
        "node_address": NODE,
        "registry": REGISTRY,
        "images": images,
        "gateway": {
            "class": gateway.CLASS,
            "namespace": gateway.NAMESPACE,
            "name": gateway.NAME,
            "address": gateway.ADDRESS,
        },
        "prometheus_url": f"http://{_PROMETHEUS}",
        "client_authority": {"certificate": str(authority.certificate), "key": str(authority.key)},
        "logs": str(logs),
    }


def _await_node(admin: Path) -> None:
    with Objects(admin) as objects:
        objects.await_state(f"/api/v1/nodes/{NODE_NAME}", condition("Ready"), within=_PATIENCE)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        objects.await_state(account, lambda _: True, within=_PATIENCE)
