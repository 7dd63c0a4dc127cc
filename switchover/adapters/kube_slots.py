"""The port `Slots` on Kubernetes: a colour is a Deployment and what belongs to it; idle it has 0 replicas."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_ending import LABEL_OF_SLICE, await_end
from switchover.adapters.kube_events import read_events
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HPA,
    PDB,
    POD,
    REPLICA_SET,
    SERVICE,
    Kind,
    KubeObject,
    name_of,
)
from switchover.adapters.kube_logs import KubeLogs
from switchover.adapters.kube_pod_status import SeenColour, slot_status
from switchover.decide.autoscaler_bounds import free_operations, hold_operations, set_number
from switchover.decide.colour_names import (
    ANNOTATION_CONTAINER,
    ANNOTATION_LOG_ERROR_PATTERN,
    ANNOTATION_RELEASE,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    colour_labels,
    colour_name,
)
from switchover.decide.colouring import colour_objects
from switchover.decide.kube_values import canonical, mapping_at, mappings_at
from switchover.errors import InputError, SwitchoverError, TargetError
from switchover.model import Colour, ConfigCopy, Release, SlotStatus, Workload
from switchover.ports import Clock

ReadThrottled = Callable[[str, Colour, Collection[str]], bool | None]
ReadUnneededCopies = Callable[[], Sequence[ConfigCopy]]


class KubeSlots:
    """The colours of `services` in one namespace."""

    def __init__(
        self,
        *,
        api: KubeApi,
        fence: KubeFence,
        copies: KubeCopies,
        services: Collection[str],
        clock: Clock,
        read_unneeded_copies: ReadUnneededCopies,
        read_throttled: ReadThrottled | None = None,
    ) -> None:
        """Give `read_throttled` where somebody measures how often pods are held back at their CPU limit."""
        self._api = api
        self._fence = fence
        self._copies = copies
        self._services = frozenset(services)
        self._clock = clock
        self._read_unneeded_copies = read_unneeded_copies
        self._read_throttled = read_throttled
        self._logs = KubeLogs(api)

    def start(self, release: Release, colour: Colour, workload: Workload, *, epoch: int) -> None:
        """Let `colour` run this release and nothing else; the same one, already wanted, is left running.

        Another one in this colour is stopped first. An autoscaler may not make it smaller until `free_size`. Raises
        `FencedError`, `InputError` for an unknown service or for configuration that is gone, and what the API server
        refuses.
        """
        manifest = workload.manifest
        if release.service not in self._services or manifest is None:
            raise _unknown(release.service, self._services)
        name, identity = colour_name(release.service, colour), _identity(release, workload)
        self._fence.require(epoch)
        self._copies.ensure(manifest.copies, epoch=epoch)
        present = self._api.read(DEPLOYMENT, name)
        running = _replicas(present)
        if running and _annotation(present, ANNOTATION_RELEASE) != identity:
            self.stop(release.service, colour, epoch=epoch)
            running = 0
        size = max(workload.replicas, running)
        objects = colour_objects(release, workload, manifest, colour, size=size, identity=identity)
        self._fence.apply(objects.service, epoch)
        if self._api.read(SERVICE, colour_name(release.service, colour.other)) is None:
            # A route that lists both colours is not accepted before both Services are there.
            idle = colour_objects(release, workload, manifest, colour.other, size=0, identity=identity)
            self._fence.apply(idle.service, epoch)
        for kind, wanted in ((PDB, objects.budget), (HPA, objects.scaler)):
            if wanted is not None:
                self._fence.apply(wanted, epoch)
            else:
                self._remove(kind, name, epoch)
        if not running:
            self._logs.forget(name)
        self._fence.apply(objects.deployment, epoch)

    def stop(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Let nothing run in `colour`: scale it to 0 and wait until its pods are gone. Tidies up copies afterwards.

        Pods get the time that their manifest gives them to end, and then SIGKILL. Raises `FencedError`, and
        `TargetError` when some still run long after that.
        """
        name = colour_name(service, colour)
        present = self._api.read(DEPLOYMENT, name)
        if present is None:
            return
        self._fence.patch(DEPLOYMENT, name, lambda now: set_number("/spec/replicas", _replicas(now), 0), epoch)
        await_end(self._api, self._clock, service, colour, present)
        with suppress(InputError, TargetError):  # the next stop does it, and no rollout may fail for it
            self._copies.prune(self._read_unneeded_copies(), epoch=epoch)

    def hold_size(self, service: str, colour: Colour, *, epoch: int) -> None:
        """Raise the autoscaler's minimum to the present size; without an autoscaler nothing makes it smaller.

        The autoscaler keeps its own minimum in an annotation.
        """
        name = colour_name(service, colour)
        running = _replicas(self._api.read(DEPLOYMENT, name))
        if running and self._api.read(HPA, name) is not None:
            self._fence.patch(HPA, name, lambda now: hold_operations(now, running), epoch)

    def free_size(self, service: str, colour: Colour, workload: Workload | None, *, epoch: int) -> None:
        """Give the autoscaler the bounds of `workload` back; None: the minimum that it had before it was held."""
        name = colour_name(service, colour)
        if self._api.read(HPA, name) is None:
            return
        self._fence.patch(HPA, name, lambda now: free_operations(now, workload), epoch)

    def read_status(self, service: str, colour: Colour) -> SlotStatus:
        """What runs there, by the word of the pods of the release that was started last and of the EndpointSlices.

        The one address is the colour's Service, for the prober.
        """
        seen = self._look(service, colour)
        if seen is None:
            return SlotStatus(0, 0)
        status = slot_status(seen, self._clock.now())
        return replace(status, throttled=self._see_throttled(service, colour, seen)) if seen.wanted else status

    def read_log_counts(self, service: str, colour: Colour) -> tuple[int, int]:
        """Lines and error lines of the release's container in all pods since the colour was started.

        What a pod logged that is gone by now counts as far as this process has seen it.
        """
        name = colour_name(service, colour)
        seen = self._look(service, colour, complete=False)
        if seen is None or not seen.wanted:
            self._logs.forget(name)
            return (0, 0)
        owner, pattern = seen.replica_set, _annotation(seen.deployment, ANNOTATION_LOG_ERROR_PATTERN)
        if owner is None or not pattern:  # somebody else made this Deployment: nobody said what an error is
            return (0, 0)
        run = owner["metadata"]["uid"]
        return self._logs.count(name, run, seen.current_pods, _container(seen.deployment), pattern)

    def read_log_tail(self, service: str, colour: Colour, lines: int) -> tuple[str, ...]:
        """The last lines of the pod that wrote last; nothing once the pods are gone."""
        seen = self._look(service, colour, complete=False)
        if seen is None:
            return ()
        return self._logs.read_tail(seen.current_pods, _container(seen.deployment), lines)

    def _see_throttled(self, service: str, colour: Colour, seen: SeenColour) -> bool | None:
        """None where nobody can say: what runs does not depend on who measures it."""
        if self._read_throttled is None:
            return None
        try:
            return self._read_throttled(service, colour, [name_of(pod) for pod in seen.current_pods])
        except SwitchoverError:
            return None

    def _look(self, service: str, colour: Colour, *, complete: bool = True) -> SeenColour | None:
        """`complete` False: no EndpointSlices and no events."""
        name, labels = colour_name(service, colour), colour_labels(service, colour)
        deployment = self._api.read(DEPLOYMENT, name)
        if deployment is None:
            return None
        sets, pods = self._api.list(REPLICA_SET, labels), self._api.list(POD, labels)
        if not complete:
            return SeenColour(deployment, sets, pods, ())
        slices = self._api.list(ENDPOINT_SLICE, {LABEL_OF_SLICE: name})
        seen = SeenColour(deployment, sets, pods, slices)
        if len(seen.ready_pods) >= seen.wanted:
            return seen
        return SeenColour(deployment, sets, pods, slices, read_events(self._api, pods))

    def _remove(self, kind: Kind, name: str, epoch: int) -> None:
        """Take away what an earlier release had and this one has not."""
        present = self._api.read(kind, name)
        if present is not None and mapping_at(present, "metadata", "labels").get(LABEL_MANAGED_BY) == MANAGED_BY:
            self._fence.delete(kind, name, epoch)


def _identity(release: Release, workload: Workload) -> str:
    """The same for the same pods, and for nothing else."""
    manifest = asdict(workload.manifest) if workload.manifest else {}
    parts = [release.service, release.version, release.artifact.digest, manifest, workload.environment]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def _replicas(deployment: KubeObject | None) -> int:
    return 0 if deployment is None else int(mapping_at(deployment, "spec").get("replicas") or 0)


def _annotation(obj: KubeObject | None, name: str) -> str:
    return str(mapping_at(obj, "metadata", "annotations").get(name, ""))


def _container(deployment: KubeObject) -> str:
    """The container of the release; the first one where nobody said which."""
    containers = mappings_at(deployment, "spec", "template", "spec", "containers")
    return _annotation(deployment, ANNOTATION_CONTAINER) or str(containers[0].get("name"))


def _unknown(service: str, services: Collection[str]) -> InputError:
    return InputError(
        f"{service} does not run on Kubernetes in this environment",
        expected=f"one of {', '.join(sorted(services)) or 'no service'}, with manifests",
        found=service,
        next_step="add it under the environment's `services` and give it a section `kubernetes` in switchover.toml",
    )
