"""Moving traffic, and retiring a colour that has none."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from switchover.errors import InputError, TargetError, UnseenError
from switchover.model import Colour, Rollout, Route
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, kept_alive, renew

_log = logging.getLogger(__name__)
_DRAIN_POLL_SECONDS = 0.1


def give(ports: EnvironmentPorts, claim: Claim, service: str, route: Route) -> Mapping[Colour, int]:
    """Apply a route and see it confirmed through the data plane; the probes that count as a user's requests."""
    with kept_alive(ports, claim):
        ports.router.set_route(service, route, epoch=claim.epoch)
        return ports.router.confirm_route(service, route)


def give_back(ports: EnvironmentPorts, claim: Claim, service: str, route: Route) -> None:
    """As `give`, on the way back: what users get counts, and what nobody can see does not stop it.

    A control plane that does not accept the route is no matter when the probes show it; probes that do not come
    through are none when it was accepted. Raises `TargetError` when the traffic goes elsewhere, or nobody knows.
    """
    with kept_alive(ports, claim):
        refused: TargetError | None = None
        try:
            ports.router.set_route(service, route, epoch=claim.epoch)
        except TargetError as error:
            refused = error
        try:
            ports.router.confirm_route(service, route)
        except (UnseenError, InputError) as unseen:  # none came through, or their answers do not say whose they are
            if refused is not None:
                raise refused from unseen
            _log.warning("the route of %s is accepted, but no probe saw it: %s", service, unseen.problem.found)
        else:
            if refused is not None:
                _log.warning("users of %s are back, although %s", service, refused.problem.failed)


def free_size(ports: EnvironmentPorts, claim: Claim, service: str, colour: Colour) -> None:
    """Let the autoscaler of a colour choose again."""
    workload = ports.ledger.read().services[service].slot(colour).workload
    ports.slots.free_size(service, colour, workload, epoch=claim.epoch)


def retire(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, colour: Colour) -> None:
    """Let a colour without traffic finish its requests, at most its drain time, then stop it."""
    deadline = ports.clock.now() + rollout.workload.drain_seconds
    while ports.router.read_active_requests(rollout.service, colour) and ports.clock.now() < deadline:
        renew(ports, claim)
        ports.clock.sleep(_DRAIN_POLL_SECONDS)
    with kept_alive(ports, claim):
        ports.slots.stop(rollout.service, colour, epoch=claim.epoch)
