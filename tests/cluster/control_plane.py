"""etcd, the API server, the controller manager and the scheduler: how each is started and known to be ready."""

import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.addresses import API_PORT, API_SERVICE, API_URL, ETCD_PEER_PORT, ETCD_PORT, NODE, PODS, SERVICES
from tests.cluster.certificates import Authority, Pair, authority
from tests.cluster.node_programs import NodePrograms
from tests.cluster.processes import Child, await_ready, start

_ETCD = f"http://127.0.0.1:{ETCD_PORT}"
_ETCD_PEER = f"http://127.0.0.1:{ETCD_PEER_PORT}"
_MANAGER_PORT = 10257
_SCHEDULER_PORT = 10259
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where the control plane's programs, data and keys are."""

    programs: NodePrograms
    folder: Path
    logs: Path
    authority: Authority
    admin: Path
    managing: Path
    scheduling: Path
    server: Pair
    kubelet_client: Pair
    proxy_client: Pair
    accounts: Pair

    def etcd(self) -> Child:
        """Start etcd: without a sync to the disk for every write, because its data dies with the cluster."""
        child = self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--listen-peer-urls={_ETCD_PEER}",
            f"--initial-advertise-peer-urls={_ETCD_PEER}",
            f"--initial-cluster=default={_ETCD_PEER}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        await_ready(child, lambda: answers(f"{_ETCD}/health"), within=_PATIENCE)
        return child

    def api_server(self) -> Child:
        """Start the API server and wait until it is ready to serve."""
        child = self._start(
            "kube-apiserver",
            f"--etcd-servers={_ETCD}",
            f"--secure-port={API_PORT}",
            f"--advertise-address={NODE}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--client-ca-file={self.authority.pair.certificate}",
            f"--tls-cert-file={self.server.certificate}",
            f"--tls-private-key-file={self.server.key}",
            f"--kubelet-client-certificate={self.kubelet_client.certificate}",
            f"--kubelet-client-key={self.kubelet_client.key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={self.authority.pair.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self.proxy_client.certificate}",
            f"--proxy-client-key-file={self.proxy_client.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.accounts.certificate}",
            f"--service-account-signing-key-file={self.accounts.key}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--profiling=false",
        )
        await_ready(child, lambda: answers(f"{API_URL}/readyz"), within=_PATIENCE)
        return child

    def controller_manager(self) -> Child:
        """Start the controllers."""
        child = self._start(
            "kube-controller-manager",
            f"--kubeconfig={self.managing}",
            f"--authentication-kubeconfig={self.managing}",
            f"--authorization-kubeconfig={self.managing}",
            f"--client-ca-file={self.authority.pair.certificate}",
            f"--root-ca-file={self.authority.pair.certificate}",
            f"--cluster-signing-cert-file={self.authority.pair.certificate}",
            f"--cluster-signing-key-file={self.authority.pair.key}",
            f"--service-account-private-key-file={self.accounts.key}",
            "--use-service-account-credentials=true",
            f"--cluster-cidr={PODS}",
            "--bind-address=127.0.0.1",
            f"--secure-port={_MANAGER_PORT}",
            "--leader-elect=false",
            "--profiling=false",
        )
        await_ready(child, lambda: answers(f"https://127.0.0.1:{_MANAGER_PORT}/healthz"), within=_PATIENCE)
        return child

    def scheduler(self) -> Child:
        """Start the scheduler."""
        child = self._start(
            "kube-scheduler",
            f"--kubeconfig={self.scheduling}",
            f"--authentication-kubeconfig={self.scheduling}",
            f"--authorization-kubeconfig={self.scheduling}",
            "--bind-address=127.0.0.1",
            f"--secure-port={_SCHEDULER_PORT}",
            "--leader-elect=false",
            "--profiling=false",
        )
        await_ready(child, lambda: answers(f"https://127.0.0.1:{_SCHEDULER_PORT}/healthz"), within=_PATIENCE)
        return child

    def _start(self, name: str, *flags: str) -> Child:
        return start(name, [*self.programs.command(name), *flags], logs=self.logs)


def control_plane(programs: NodePrograms, folder: Path, logs: Path) -> ControlPlane:
    """Make the keys and kubeconfig files of a new control plane in this folder; nothing is started yet."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    signer = authority(keys)
    hosts = [NODE, API_SERVICE, "127.0.0.1", "localhost", *_service_names("kubernetes.default.svc.cluster.local")]
    return ControlPlane(
        programs=programs,
        folder=folder,
        logs=logs,
        authority=signer,
        admin=signer.kubeconfig("admin", "cluster-admin", ["system:masters"]),
        managing=signer.kubeconfig("kube-controller-manager", "system:kube-controller-manager"),
        scheduling=signer.kubeconfig("kube-scheduler", "system:kube-scheduler"),
        server=signer.server("kube-apiserver", hosts),
        kubelet_client=signer.client("kubelet-client", "kube-apiserver", ["system:masters"]),
        proxy_client=signer.client("front-proxy-client", "front-proxy-client"),
        accounts=signer.client("service-accounts", "service-accounts"),
    )


def answers(url: str) -> bool:
    """Whether this address answers 200. The certificate is not looked at: it is one of ours."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=2, context=unchecked) as response:  # noqa: S310 - http or https
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _service_names(full: str) -> list[str]:
    parts = full.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
