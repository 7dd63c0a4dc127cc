"""Kubernetes' own programs: this system's where all six are there, else one program built from `node/`."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from switchover.errors import InputError
from tests.cluster.go_programs import HERE, built

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
# gRPC's tracing keeps the linker from dropping unused methods.
TAGS = ("grpcnotrace",)
_VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class NodePrograms:
    """How each of the six is called."""

    commands: Mapping[str, tuple[Path | str, ...]]

    def command(self, name: str) -> tuple[Path | str, ...]:
        """The first words of the command line of this program."""
        return self.commands[name]


def prepare() -> NodePrograms:
    """Find or build the six: they come from one place, because their versions must fit each other."""
    found = installed(os.environ.get("KUBEBUILDER_ASSETS"))
    if len(found) == len(NAMES):
        return NodePrograms({name: (path,) for name, path in found.items()})
    program = built("node", tags=TAGS, variables=_version())
    return NodePrograms({name: (program, name) for name in NAMES})


def installed(assets: str | None) -> Mapping[str, Path]:
    """Those of the six that are in the folder of `KUBEBUILDER_ASSETS` or on the PATH."""
    path = os.pathsep.join(filter(None, [assets, os.environ.get("PATH", os.defpath)]))
    places = {name: shutil.which(name, path=path) for name in NAMES}
    return {name: Path(place) for name, place in places.items() if place}


def _version() -> Mapping[str, str]:
    """What Kubernetes' own build says of its version, and a build as a module cannot know."""
    version = re.search(r"k8s.io/kubernetes v((\d+)\.(\d+)\.\S+)", (HERE / "node" / "go.mod").read_text())
    if version is None:
        raise InputError(
            "Kubernetes' version is unknown",
            expected="k8s.io/kubernetes among the requirements of node/go.mod",
            found="none",
            next_step="require it",
        )
    full, major, minor = version.groups()
    return {f"{_VERSION}.gitVersion": f"v{full}", f"{_VERSION}.gitMajor": major, f"{_VERSION}.gitMinor": minor}
