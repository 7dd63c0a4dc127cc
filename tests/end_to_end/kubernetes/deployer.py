"""The account that deploys: it has the rights of k8s/deployer/rights and no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.end_to_end.kubernetes.cluster import TestCluster
from tests.manifests.rendering import MANIFESTS, run_kustomize

ACCOUNT = "switchover-deployer"
_VALID_FOR = "3h"

_KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources: [../rights]
components: [../rights/{component}]
patches:
  - target: {{kind: Role}}
    patch: |-
      - {{op: test, path: /rules/0/resourceNames/0, value: switchover-ENVIRONMENT}}
      - {{op: replace, path: /rules/0/resourceNames/0, value: switchover-{environment}}}
  - target: {{kind: RoleBinding}}
    patch: |-
      - {{op: replace, path: /subjects/0/namespace, value: {home}}}
"""


def make_deployer(cluster: TestCluster, root: Path, namespace: str, environment: str, home: str) -> Path:
    """Make the account in the namespace `home`, bind it to its rights in `namespace`; its kubeconfig.

    The rights are the committed ones, for the service `shop`, as an overlay of k8s/deployer makes them.
    """
    cluster.apply(home, yaml.safe_dump({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}))
    cluster.apply(namespace, render_rights(root, namespace, environment, home))
    token = cluster.kubectl("create", "token", ACCOUNT, "--namespace", home, "--duration", _VALID_FOR).strip()
    return write_kubeconfig(cluster, root / "deployer.kubeconfig", token)


def render_rights(root: Path, namespace: str, environment: str, home: str, component: str = "gateway") -> str:
    """k8s/deployer/rights for this environment, with what the route asks for (`gateway`, `ingress-nginx` …)."""
    copy = root / "k8s"
    shutil.copytree(MANIFESTS / "deployer" / "rights", copy / "rights", dirs_exist_ok=True)
    overlay = copy / "overlay"
    overlay.mkdir(exist_ok=True)
    values = {"namespace": namespace, "environment": environment, "home": home, "component": component}
    text = _KUSTOMIZATION.format(**values)
    (overlay / "kustomization.yaml").write_text(text, encoding="utf-8")
    done = run_kustomize(overlay)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_kubeconfig(cluster: TestCluster, file: Path, token: str) -> Path:
    """A kubeconfig for the same cluster with this bearer token."""
    there = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [there],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": ACCOUNT, "context": {"cluster": there["name"], "user": ACCOUNT}}],
        "current-context": ACCOUNT,
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    file.chmod(0o600)
    return file
