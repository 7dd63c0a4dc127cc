"""The one node: containerd with the pod network, the kubelet and kube-proxy."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian, worker_settings
from tests.cluster.addresses import NODE, NODE_NAME
from tests.cluster.certificates import Authority
from tests.cluster.control_plane import answers
from tests.cluster.go_programs import built
from tests.cluster.node_programs import NodePrograms
from tests.cluster.pause_image import write_archive
from tests.cluster.processes import Child, await_ready, run, start

PACKAGES = (
    "containerd",
    "containernetworking-plugins",
    "runc",
    "libseccomp2",
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libxtables12",
    "libjansson4",
    "libgmp10",
    "libedit2",
    "libbsd0",
    "libmd0",
    "libtinfo6",
)
_NEEDED = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "nft")
_CNI_PROGRAMS = ("opt/cni/bin", "usr/lib/cni")
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class WorkerPrograms:
    """What the node runs besides Kubernetes' own programs."""

    containerd: Path
    ctr: Path
    cni: Path
    environment: Mapping[str, str]
    pause: Path


@dataclass(frozen=True, slots=True)
class Worker:
    """Where the node's programs, data and keys are."""

    programs: WorkerPrograms
    kubernetes: NodePrograms
    folder: Path
    logs: Path
    authority: Authority
    cgroup: str

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return Path("/run/containerd/containerd.sock")

    def containerd(self) -> Child:
        """Start containerd with the image of the sandbox in it."""
        self.folder.mkdir(exist_ok=True)
        settings = self.folder / "containerd"
        settings.mkdir(exist_ok=True)
        path = worker_settings.write_containerd(settings, socket=self.socket, cni_programs=self.programs.cni)
        command: list[Path | str] = [self.programs.containerd, "--config", path, "--log-level", "warn"]
        child = start("containerd", command, logs=self.logs, environment=self.programs.environment)
        await_ready(child, self._serves, within=_PATIENCE)
        archive = settings / "pause.tar"
        write_archive(self.programs.pause, archive)
        self._ctr("--namespace", "k8s.io", "images", "import", str(archive))
        return child

    def kubelet(self) -> Child:
        """Start the kubelet; the node becomes ready some seconds later."""
        settings = self.folder / "kubelet"
        settings.mkdir(parents=True, exist_ok=True)
        pair = self.authority.pair
        path = worker_settings.write_kubelet(
            settings, authority=pair.certificate, socket=self.socket, cgroup=self.cgroup
        )
        kubeconfig = self.authority.kubeconfig("kubelet", f"system:node:{NODE_NAME}", ["system:nodes"])
        child = self._start(
            "kubelet",
            f"--config={path}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={settings / 'root'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE}",
        )
        await_ready(child, lambda: answers("http://127.0.0.1:10248/healthz"), within=_PATIENCE)
        return child

    def proxy(self) -> Child:
        """Start kube-proxy."""
        settings = self.folder / "kube-proxy"
        settings.mkdir(parents=True, exist_ok=True)
        kubeconfig = self.authority.kubeconfig("kube-proxy", "system:kube-proxy")
        path = worker_settings.write_proxy(settings, kubeconfig=kubeconfig)
        child = self._start("kube-proxy", f"--config={path}")
        await_ready(child, lambda: answers("http://127.0.0.1:10256/healthz"), within=_PATIENCE)
        return child

    def _start(self, name: str, *flags: str) -> Child:
        command = [*self.kubernetes.command(name), *flags]
        return start(name, command, logs=self.logs, environment=self.programs.environment)

    def _serves(self) -> bool:
        # The socket appears before containerd's plugins answer on it.
        return self.socket.exists() and bool(self._ctr("--connect-timeout", "1s", "plugins", "ls"))

    def _ctr(self, *words: str) -> str:
        command: list[Path | str] = [self.programs.ctr, "--address", self.socket, *words]
        return run(command, environment=self.programs.environment)


def prepare() -> WorkerPrograms:
    """The node's programs: those of this system where all are there, else Debian's, unpacked into the cache."""
    pause = built("pause")
    found = {name: shutil.which(name) for name in _NEEDED}
    plugins = [Path("/", place) for place in _CNI_PROGRAMS if Path("/", place, "ptp").exists()]
    if all(found.values()) and plugins:
        return WorkerPrograms(Path(found["containerd"] or ""), Path(found["ctr"] or ""), plugins[0], os.environ, pause)
    folder = debian.unpacked("worker", PACKAGES)
    return WorkerPrograms(
        containerd=debian.program(folder, "containerd"),
        ctr=debian.program(folder, "ctr"),
        cni=folder / "usr/lib/cni",
        environment=debian.environment(folder),
        pause=pause,
    )
