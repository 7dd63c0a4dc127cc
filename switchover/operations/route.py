"""Moving traffic, and retiring a colour that has none."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.model import Colour, Rollout, Route
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, kept_alive, renew

_DRAIN_POLL_SECONDS = 0.1


def give(ports: EnvironmentPorts, claim: Claim, service: str, route: Route) -> Mapping[Colour, int]:
    """Apply a route and see it confirmed through the data plane; the probes that count as a user's requests."""
    with kept_alive(ports, claim):
        ports.router.set_route(service, route, epoch=claim.epoch)
        return ports.router.confirm_route(service, route)


def free_size(ports: EnvironmentPorts, claim: Claim, service: str, colour: Colour) -> None:
    """Let the autoscaler of a colour choose again; nothing for one that the ledger has no workload of."""
    workload = ports.ledger.read().services[service].slot(colour).workload
    if workload is not None:
        ports.slots.free_size(service, colour, workload, epoch=claim.epoch)


def retire(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, colour: Colour) -> None:
    """Let a colour without traffic finish its requests, at most its drain time, then stop it."""
    deadline = ports.clock.now() + rollout.workload.drain_seconds
    while ports.router.read_active_requests(rollout.service, colour) and ports.clock.now() < deadline:
        renew(ports, claim)
        ports.clock.sleep(_DRAIN_POLL_SECONDS)
    with kept_alive(ports, claim):
        ports.slots.stop(rollout.service, colour, epoch=claim.epoch)
