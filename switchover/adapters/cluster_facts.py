"""What the target `kubernetes` needs to know of one environment, from the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from switchover.config import Config
from switchover.config_cluster import KubernetesConfig
from switchover.model import JudgeSettings


@dataclass(frozen=True, slots=True)
class PlacedService:
    """One service there: its route object, its images, and the user's manifests (an absolute path).

    `replicas` is what the environment's section says of it.
    """

    route: str
    host: str | None
    sticky: bool
    health_path: str
    image: str
    manifests: Path
    workload: str | None
    container: str | None
    port: str
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One environment on a cluster. `kubeconfig` is absolute; None: as a program finds it around itself.

    `no_data_seconds`: how long the judge waits for requests.
    """

    settings: KubernetesConfig
    kubeconfig: Path | None
    services: dict[str, PlacedService] = field(default_factory=dict)
    signature_key: Path | None = None
    no_data_seconds: float = JudgeSettings().no_data_seconds

    @classmethod
    def of(cls, config: Config, environment: str) -> ClusterFacts | None:
        """As the configuration has them; None for an environment of another target."""
        settings = config.environment(environment).kubernetes
        if settings is None:
            return None
        place = config.root / settings.kubeconfig if settings.kubeconfig else None
        return cls(
            settings,
            place.expanduser().absolute() if place else None,
            {name: placed for name in config.services if (placed := _place(config, environment, name))},
            (config.root / settings.signature_key).absolute() if settings.signature_key else None,
            config.judge_settings(environment).no_data_seconds,
        )


def _place(config: Config, environment: str, service: str) -> PlacedService | None:
    declared, placement = config.service(service), config.placement(environment, service)
    if declared.kubernetes is None:
        return None
    return PlacedService(
        route=placement.route or service,
        host=placement.host,
        sticky=placement.sticky,
        health_path=declared.health_path,
        image=declared.kubernetes.image,
        manifests=(config.root / (placement.manifests or declared.kubernetes.manifests)).absolute(),
        workload=declared.kubernetes.workload,
        container=declared.kubernetes.container,
        port=declared.kubernetes.port,
        replicas=placement.replicas,
    )
