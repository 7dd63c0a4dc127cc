"""The configuration files of containerd, the pod network, the kubelet and kube-proxy."""

import json
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.addresses import NODE, NODE_NAME, PODS, REGISTRY
from tests.cluster.pause_image import NAME as PAUSE

Json = Mapping[str, Any]
_MOST_OPEN_FILES = 1_000_000

# Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj.
CONTAINERD = """\
version = 2
root = "{root}"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_tcp_service = true
  tolerate_missing_hugetlb_controller = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni_programs}"
  conf_dir = "{cni_settings}"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{registries}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""

REGISTRY_HOST = """\
server = "http://{registry}"

[host."http://{registry}"]
  capabilities = ["pull", "resolve"]
"""


def write_containerd(folder: Path, *, socket: Path, cni_programs: Path) -> Path:
    """Write containerd's configuration, the pod network's and the registry's into this folder."""
    network = folder / "net.d"
    network.mkdir(exist_ok=True)
    _write(network / "10-pods.conflist", _pod_network())
    registry = folder / "registries" / REGISTRY
    registry.mkdir(parents=True, exist_ok=True)
    (registry / "hosts.toml").write_text(REGISTRY_HOST.format(registry=REGISTRY))
    path = folder / "containerd.toml"
    path.write_text(
        CONTAINERD.format(
            root=folder / "images",
            socket=socket,
            pause=PAUSE,
            cni_programs=cni_programs,
            cni_settings=network,
            registries=folder / "registries",
        )
    )
    return path


def write_kubelet(folder: Path, *, authority: Path, socket: Path, cgroup: str) -> Path:
    """Write the kubelet's configuration: pods in this cgroup, and a disk that may be as full as it is."""
    settings: Json = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": _open_files(),
        "makeIPTablesUtilChains": False,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "podLogsDir": str(folder / "pod-logs"),
        # Nobody answers there, at once: pods reach each other by address. Without one every pod gets a warning.
        "clusterDNS": [NODE],
        "resolvConf": "",
        "registerNode": True,
        "serializeImagePulls": False,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "logging": {"verbosity": 1},
    }
    return _write(folder / "kubelet.json", settings)


def write_proxy(folder: Path, *, kubeconfig: Path) -> Path:
    """Write kube-proxy's configuration: nftables, and none of the machine-wide limits of conntrack touched."""
    settings: Json = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 200, "burst": 400},
        "clusterCIDR": PODS,
        "hostnameOverride": NODE_NAME,
        "bindAddress": NODE,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": ["primary"],
        "oomScoreAdj": 0,
        "nftables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
    }
    return _write(folder / "kube-proxy.json", settings)


def _open_files() -> int:
    # Nobody may raise the hard limit without CAP_SYS_RESOURCE.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)


def _pod_network() -> Json:
    # `ptp` routes every packet of a pod through the node: a bridge would answer neighbours behind kube-proxy's back.
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/pod-addresses",
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}]}


def _write(path: Path, content: Json) -> Path:
    path.write_text(json.dumps(content, indent=1))
    return path
