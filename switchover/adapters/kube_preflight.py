"""The port `Preflight` on Kubernetes: what a service is there, whether it can come live, and a copy of what is live."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from switchover.adapters.cluster_facts import PlacedService
from switchover.adapters.kube_access import find_denied
from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HPA,
    NAMESPACE,
    PDB,
    RESOURCE_QUOTA,
    SERVICE,
    KubeObject,
    name_of,
)
from switchover.adapters.kube_names import object_name
from switchover.adapters.kube_router import KubeRouter
from switchover.adapters.kube_workloads import KubeService, KubeWorkloads
from switchover.decide.colour_names import LABEL_MANAGED_BY, LABEL_SERVICE, MANAGED_BY, colour_name
from switchover.decide.kube_obstacles import (
    find_counting_obstacles,
    find_namespace_obstacle,
    from_error,
)
from switchover.decide.kube_rights import find_right_obstacles, list_rights
from switchover.decide.kube_room import find_room_obstacles
from switchover.decide.kube_values import mapping_at
from switchover.errors import InputError, SwitchoverError
from switchover.model import Colour, Obstacle, Release, Step, Workload
from switchover.ports import Releases

SignalObstacles = Callable[[str, Workload, tuple[Step, ...]], tuple[Obstacle, ...]]
SignatureObstacles = Callable[[str, str], tuple[Obstacle, ...]]
_ROLLOUT = "switchover.dev/rollout"
_NOT_KEPT = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
_MOST_BYTES = 900_000  # the API server stores 1 MiB per object


class KubePreflight:
    """`places` has the services of this environment.

    `find_signal_obstacles` None: no requests are counted; `find_signature_obstacles` None: images need not
    be signed.
    """

    def __init__(
        self,
        *,
        api: KubeApi,
        fence: KubeFence,
        environment: str,
        places: Mapping[str, PlacedService],
        copies: KubeCopies,
        router: KubeRouter,
        releases: Releases,
        find_signal_obstacles: SignalObstacles | None = None,
        find_signature_obstacles: SignatureObstacles | None = None,
    ) -> None:
        self._api = api
        self._fence = fence
        self._environment = environment
        self._workloads = KubeWorkloads(api, copies, {name: _manifests_of(name, each) for name, each in places.items()})
        self._router = router
        self._releases = releases
        self._find_signal_obstacles = find_signal_obstacles
        self._find_signature_obstacles = find_signature_obstacles

    def complete(self, service: str, workload: Workload) -> Workload:
        """With the manifest, the names of the copies, and the size that the user's manifests say.

        Raises `InputError` that names everything that is wrong with them, or the namespace, where that is not there.
        """
        if not self._has_namespace():
            obstacle = find_namespace_obstacle(self._api.namespace)
            raise InputError(
                f"{self._environment} has no namespace",
                expected=f"{obstacle.place}, {obstacle.expected}",
                found=obstacle.found,
                next_step=obstacle.fix,
            )
        return self._workloads.complete(service, workload)

    def find_obstacles(
        self, release: Release, workload: Workload, colour: Colour, steps: tuple[Step, ...]
    ) -> tuple[Obstacle, ...]:
        """Namespace, then rights, and where those are there: route, image, room, present objects, counting.

        Raises `TargetError` when the API server does not answer.
        """
        if not self._has_namespace():
            return (find_namespace_obstacle(self._api.namespace),)
        service = release.service
        ledger = object_name("switchover", self._environment)
        rights = list_rights(service, colour, workload, ledger, self._router.changed_object(service))
        denied = find_right_obstacles(find_denied(self._api, rights), self._api.namespace)
        if denied:
            return denied
        return (
            *self._router.find_obstacles(service, steps),
            *self._find_image_obstacles(release, workload),
            *self._find_room_obstacles(service, workload, colour),
            *self._workloads.find_obstacles(service, workload),
            *self._find_counting_obstacles(service, workload, steps),
        )

    def back_up(self, service: str, rollout_id: str, *, epoch: int) -> None:
        """Keep Deployments, Services, autoscalers, budgets and the route as they are, in a ConfigMap.

        Its name is `switchover-<environment>-backup-<service>`. Nothing is read from Secrets. Later calls for the same
        rollout change nothing: by then the objects are no longer those from before.
        """
        name = object_name("switchover", self._environment, "backup", service)
        present = self._api.read(CONFIG_MAP, name)
        if present is not None and mapping_at(present, "metadata", "annotations").get(_ROLLOUT) == rollout_id:
            return
        found = [
            self._api.read(kind, colour_name(service, colour))
            for colour in Colour
            for kind in (DEPLOYMENT, SERVICE, HPA, PDB)
        ]
        kept = [_bare(each) for each in (*found, self._router.read_object(service)) if each is not None]
        data = {f"{each['kind'].lower()}-{name_of(each)}.json": json.dumps(each, indent=2) for each in kept}
        while sum(map(len, data.values())) > _MOST_BYTES:
            del data[max(data, key=lambda key: len(data[key]))]
        labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_SERVICE: service}
        metadata = {"name": name, "labels": labels, "annotations": {_ROLLOUT: rollout_id}}
        self._fence.apply({"apiVersion": "v1", "kind": CONFIG_MAP.kind, "metadata": metadata, "data": data}, epoch)

    def _has_namespace(self) -> bool:
        try:
            return self._api.read(NAMESPACE, self._api.namespace) is not None
        except InputError:
            return True  # not ours to look at; whoever has rights in it knows that it is there

    def _find_image_obstacles(self, release: Release, workload: Workload) -> tuple[Obstacle, ...]:
        try:
            self._releases.check(release)
        except SwitchoverError as error:
            return (from_error(f"the image of {release.service} {release.version}", error),)
        if self._find_signature_obstacles is None or workload.manifest is None:
            return ()
        return self._find_signature_obstacles(workload.manifest.repository, release.artifact.digest)

    def _find_room_obstacles(self, service: str, workload: Workload, colour: Colour) -> tuple[Obstacle, ...]:
        if workload.manifest is None:
            return ()
        objects = {each["kind"]: each for each in json.loads(workload.manifest.objects)}
        pods = mapping_at(objects["Deployment"], "spec", "template", "spec")
        live = self._count_replicas(service, colour.other)
        size = max(workload.replicas, live if workload.max_replicas is not None else 0)
        more = max(0, size - self._count_replicas(service, colour))
        return find_room_obstacles(self._api.list(RESOURCE_QUOTA), pods, more)

    def _find_counting_obstacles(
        self, service: str, workload: Workload, steps: tuple[Step, ...]
    ) -> tuple[Obstacle, ...]:
        if self._find_signal_obstacles is None:
            return find_counting_obstacles(steps, counted=False)
        return self._find_signal_obstacles(service, workload, steps)

    def _count_replicas(self, service: str, colour: Colour) -> int:
        found = self._api.read(DEPLOYMENT, colour_name(service, colour))
        return int(mapping_at(found, "spec").get("replicas") or 0)


def _bare(obj: KubeObject) -> KubeObject:
    """As one would apply it again."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _NOT_KEPT}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": metadata}


def _manifests_of(service: str, placed: PlacedService) -> KubeService:
    named = placed.workload or service
    return KubeService(placed.manifests, named, placed.container, placed.image, placed.port, placed.replicas)
