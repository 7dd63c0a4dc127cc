"""What the files of the project and the cluster know of a service: completes its workload, and finds what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_kinds import DEPLOYMENT, PDB, SERVICE, KubeObject
from switchover.adapters.kube_manifests import read_documents
from switchover.decide.colour_names import colour_labels, colour_name
from switchover.decide.kube_obstacles import find_idle_settings
from switchover.decide.kube_reading import Reading, Wanted, find_pod_labels, read_workload, with_copies
from switchover.decide.kube_selectors import find_two_colour_selectors
from switchover.decide.kube_values import mapping_at
from switchover.errors import InputError
from switchover.model import Colour, Obstacle, Workload


@dataclass(frozen=True, slots=True)
class KubeService:
    """A service's section `kubernetes`, looked up: `manifests` is a file or folder that exists for reading.

    `workload` and `container` are as `KubernetesServiceConfig` has them, `workload` the service's name if absent,
    `replicas` what the environment's section says.
    """

    manifests: Path
    workload: str
    container: str | None
    repository: str
    port: str
    replicas: int | None = None


class KubeWorkloads:
    """The part of the port `Preflight` that is about the services' own objects."""

    def __init__(self, api: KubeApi, copies: KubeCopies, services: Mapping[str, KubeService]) -> None:
        self._api = api
        self._copies = copies
        self._services = services

    def complete(self, service: str, workload: Workload) -> Workload:
        """The workload with its manifest, the copies that it needs now, and its bounds. Changes nothing.

        Raises `InputError` that names everything that is wrong.
        """
        config = self._services.get(service)
        if config is None:
            raise InputError(
                f"{service} has no manifests here",
                expected="a section `kubernetes` of the service in switchover.toml",
                found=f"those of {', '.join(sorted(self._services)) or 'no service'}",
                next_step="add it",
            )
        documents = read_documents(config.manifests)
        wanted = Wanted(service, config.workload, config.container, config.repository, config.port, self._api.namespace)
        reading = read_workload(documents, wanted)
        if reading.manifest is None:
            raise _wrong(service, config, reading.obstacles)
        copies, missing = self._copies.resolve(reading.references)
        names = {reference.name for reference in reading.references}
        obstacles = (*missing, *self._copies.find_changed(documents, names))
        if obstacles:
            raise _wrong(service, config, obstacles)
        idle = find_idle_settings(service, workload, placed_replicas=config.replicas, said_replicas=reading.replicas)
        if idle:
            raise _idle(service, idle)
        return replace(
            workload,
            manifest=with_copies(reading.manifest, copies),
            replicas=_replicas(reading, workload),
            max_replicas=reading.max_replicas,
        )

    def find_obstacles(self, service: str, workload: Workload) -> tuple[Obstacle, ...]:
        """What in the namespace stands in the way of two colours of this workload. Changes nothing."""
        if workload.manifest is None:
            return ()
        labels = find_pod_labels(workload.manifest)
        beside = [*self._api.list(SERVICE), *self._api.list(PDB)]
        return (
            *find_two_colour_selectors(beside, service, labels),
            *self._find_other_selectors(service),
            *self._copies.find_lost(workload.manifest.copies),
        )

    def _find_other_selectors(self, service: str) -> tuple[Obstacle, ...]:
        """Deployments of our names that somebody else made with another selector, which cannot be changed."""
        found = ((colour, self._api.read(DEPLOYMENT, colour_name(service, colour))) for colour in Colour)
        return tuple(
            _other_selector(colour_name(service, colour), wanted, present)
            for colour, present in found
            if present is not None
            if mapping_at(present, "spec", "selector") != {"matchLabels": (wanted := colour_labels(service, colour))}
        )


def _replicas(reading: Reading, workload: Workload) -> int:
    return reading.replicas if reading.replicas is not None else workload.replicas


def _other_selector(name: str, wanted: Mapping[str, str], present: KubeObject) -> Obstacle:
    said = mapping_at(present, "spec", "selector")
    return Obstacle(
        f"Deployment {name}, spec.selector",
        expected=", ".join(f"{label}={value}" for label, value in wanted.items()),
        found=str(said.get("matchLabels") or said),
        fix=f"it cannot be changed: `kubectl delete deployment {name} --cascade=orphan` when it has no users",
    )


def _idle(service: str, obstacles: tuple[Obstacle, ...]) -> InputError:
    return InputError(
        f"switchover.toml says of {service} what has no effect on Kubernetes",
        expected="no such setting",
        found="; ".join(f"{each.place}: {each.found}" for each in obstacles),
        next_step="; ".join(each.fix for each in obstacles),
    )


def _wrong(service: str, config: KubeService, obstacles: tuple[Obstacle, ...]) -> InputError:
    return InputError(
        f"the manifests of {service} cannot have two colours",
        expected=f"{config.manifests}: " + "; ".join(f"{each.place}: {each.expected}" for each in obstacles),
        found="; ".join(f"{each.place}: {each.found}" for each in obstacles),
        next_step="; ".join(dict.fromkeys(each.fix for each in obstacles)),
    )
