"""The target `kubernetes`: the ports of one environment, from its facts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product

from switchover.adapters.cluster_facts import ClusterFacts
from switchover.adapters.cosign_verifier import CosignVerifier
from switchover.adapters.environment_facts import EnvironmentFacts
from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_credentials import Credentials, choose_credentials
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_history import KEPT_ENTRIES
from switchover.adapters.kube_kinds import ANNOTATION_EPOCH, DEPLOYMENT
from switchover.adapters.kube_ledger import KubeLedger
from switchover.adapters.kube_migrator import KubeMigrator
from switchover.adapters.kube_preflight import KubePreflight
from switchover.adapters.kube_prober import KubeProber
from switchover.adapters.kube_router import RoutedService, Sight
from switchover.adapters.kube_slots import KubeSlots
from switchover.adapters.no_signals import NoSignals
from switchover.adapters.prometheus_signals import PrometheusSignals, read_token
from switchover.adapters.registry_images import RegistryImages
from switchover.adapters.route_kinds import choose_router
from switchover.adapters.system_clock import SystemClock
from switchover.decide.colour_names import colour_name
from switchover.decide.unneeded_copies import find_unneeded_copies
from switchover.errors import InputError
from switchover.model import Colour, ConfigCopy
from switchover.operations.environment import EnvironmentPorts
from switchover.ports import Clock, Ledger, Notifier

_WHOLE_HISTORY = 2 * KEPT_ENTRIES  # a little more than that may be there


def open_cluster(
    facts: EnvironmentFacts, environ: Mapping[str, str], notifier: Notifier, credentials: Credentials | None
) -> EnvironmentPorts:
    """Build everything and change nothing. `credentials` None: what the facts and the surroundings say.

    Raises `InputError` for an environment without a cluster and for what cannot be used.
    """
    cluster = facts.cluster
    if cluster is None:
        raise InputError(
            f"{facts.environment} is not on Kubernetes",
            expected='`target = "kubernetes"`',
            found="a local environment",
            next_step="name another environment",
        )
    settings = cluster.settings
    api = KubeApi(credentials or choose_credentials(cluster.kubeconfig, settings.context, environ), settings.namespace)
    clock = SystemClock()
    ledger = KubeLedger(api, facts.environment, lambda: _find_traces(api, cluster))
    fence = KubeFence(api, ledger.read_epoch)
    copies = KubeCopies(api, fence, facts.environment)
    signals = _choose_signals(cluster, environ, ledger, clock)
    counted = signals if isinstance(signals, PrometheusSignals) else None
    router = choose_router(settings.route, api, fence, _routed(cluster), _sight(cluster))
    releases = RegistryImages({name: placed.image for name, placed in cluster.services.items()}, environ)
    return EnvironmentPorts(
        name=facts.environment,
        ledger=ledger,
        slots=KubeSlots(
            api=api,
            fence=fence,
            copies=copies,
            services=cluster.services,
            clock=clock,
            read_unneeded_copies=lambda: _read_unneeded_copies(ledger),
            read_throttled=counted.read_throttled if counted else None,
        ),
        router=router,
        signals=signals,
        prober=KubeProber(api),
        preflight=KubePreflight(
            api=api,
            fence=fence,
            environment=facts.environment,
            places=cluster.services,
            copies=copies,
            router=router,
            releases=releases,
            find_signal_obstacles=(
                partial(counted.find_obstacles, no_data_seconds=cluster.no_data_seconds) if counted else None
            ),
            find_signature_obstacles=(
                partial(
                    CosignVerifier.from_machine(cluster.signature_key, environ).find_obstacles,
                    attestation=cluster.settings.require_sbom,
                )
                if cluster.signature_key
                else None
            ),
        ),
        migrator=KubeMigrator(api=api, fence=fence, copies=copies, clock=clock),
        releases=releases,
        notifier=notifier,
        clock=clock,
    )


def _read_unneeded_copies(ledger: Ledger) -> tuple[ConfigCopy, ...]:
    record = ledger.read()
    return find_unneeded_copies(
        record, (entry for name in record.services for entry in ledger.read_history(name, _WHOLE_HISTORY))
    )


def _choose_signals(
    cluster: ClusterFacts, environ: Mapping[str, str], ledger: Ledger, clock: Clock
) -> PrometheusSignals | NoSignals:
    config = cluster.settings.prometheus
    if config is None:
        return NoSignals()
    routes = {name: placed.route for name, placed in cluster.services.items()}
    return PrometheusSignals(
        config, cluster.settings.namespace, routes, lambda: read_token(config, environ), ledger, clock
    )


def _routed(cluster: ClusterFacts) -> dict[str, RoutedService]:
    return {
        name: RoutedService(name, placed.route, placed.host, placed.sticky, placed.health_path)
        for name, placed in cluster.services.items()
    }


def _sight(cluster: ClusterFacts) -> Sight:
    return Sight(cluster.settings.confirm == "probes", cluster.settings.data_plane)


def _find_traces(api: KubeApi, cluster: ClusterFacts) -> tuple[str, ...]:
    """The colours that run and were started by switchover: a ledger was there once."""
    names = [colour_name(service, colour) for service, colour in product(cluster.services, Colour)]
    found = [(name, api.read(DEPLOYMENT, name)) for name in names]
    return tuple(
        name
        for name, deployment in found
        if deployment is not None
        and deployment["spec"].get("replicas")
        and ANNOTATION_EPOCH in (deployment["metadata"].get("annotations") or {})
    )
