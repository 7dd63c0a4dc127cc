"""The kinds of Kubernetes objects that switchover reads or writes, and where the API server keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from switchover.errors import InputError

KubeObject = dict[str, Any]
"""An object of the API server as its JSON is."""

FIELD_MANAGER = "switchover"
ANNOTATION_EPOCH = "switchover.dev/epoch"
ANNOTATION_APPLIED = "switchover.dev/applied"


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource of the API server: `api_version` as manifests write it, `plural` as addresses do."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group as RBAC rules write it; the core group is empty."""
        return self.api_version.rpartition("/")[0]

    @property
    def root(self) -> str:
        """The address of the group and version."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"

    def path(self, namespace: str, *names: str) -> str:
        """The address of the collection, or below it that of an object and its subresource."""
        place = ("namespaces", namespace) if self.namespaced else ()
        return "/".join((self.root, *(quote(part, safe=":") for part in (*place, self.plural, *names))))

    def __str__(self) -> str:
        """The kind alone, as messages name it."""
        return self.kind


CONFIG_MAP = Kind("v1", "configmaps", "ConfigMap")
EVENT = Kind("v1", "events", "Event")
NAMESPACE = Kind("v1", "namespaces", "Namespace", namespaced=False)
POD = Kind("v1", "pods", "Pod")
RESOURCE_QUOTA = Kind("v1", "resourcequotas", "ResourceQuota")
SECRET = Kind("v1", "secrets", "Secret")
SERVICE = Kind("v1", "services", "Service")
DEPLOYMENT = Kind("apps/v1", "deployments", "Deployment")
REPLICA_SET = Kind("apps/v1", "replicasets", "ReplicaSet")
SELF_SUBJECT_ACCESS_REVIEW = Kind(
    "authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
HPA = Kind("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
JOB = Kind("batch/v1", "jobs", "Job")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "gateways", "Gateway")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")
INGRESS = Kind("networking.k8s.io/v1", "ingresses", "Ingress")
PDB = Kind("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")

KINDS: tuple[Kind, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Kind))
_BY_MANIFEST = {(kind.api_version, kind.kind): kind for kind in KINDS}


def kind_of(obj: Mapping[str, Any]) -> Kind:
    """The kind that a manifest says it is; `InputError` for one that switchover does not handle."""
    said = (str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    found = _BY_MANIFEST.get(said)
    if found is None:
        raise InputError(
            f"{said[0] or 'no apiVersion'} {said[1] or 'without a kind'} is not a kind that switchover handles",
            expected="one of " + ", ".join(sorted(f"{kind.api_version} {kind.kind}" for kind in KINDS)),
            found=f"{said[0]} {said[1]} {name_of(obj)!r}",
            next_step="apply this object yourself and leave it out of the service's manifests",
        )
    return found


def name_of(obj: Mapping[str, Any]) -> str:
    """The name of an object; empty where it has none."""
    return str(obj.get("metadata", {}).get("name", ""))
