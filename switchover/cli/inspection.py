"""One look at an environment: what the ledger says, what the target says, and where the two disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from switchover.errors import SwitchoverError
from switchover.model import Colour, EnvironmentRecord, Phase, Reason, Rollout, Route, ServiceRecord, SlotStatus
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import is_abandoned

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ColourStatus:
    """One colour. `router_percent` and the replicas are None when the target does not answer."""

    colour: Colour
    version: str | None
    is_live: bool
    ledger_percent: int | None
    router_percent: int | None
    ready_replicas: int | None
    wanted_replicas: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """The rollout in flight, with the reasons given last. Times are epoch seconds."""

    id: str
    from_version: str | None
    to_version: str
    strategy: str
    phase: Phase
    canary_percent: int
    started_at: float
    changed_at: float
    reasons: tuple[Reason, ...]
    flow_run_id: str | None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service with both colours and everything that does not fit together."""

    service: str
    live: Colour | None
    live_version: str | None
    colours: tuple[ColourStatus, ...]
    rollout: RolloutStatus | None
    disagreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """Who may change the environment; `remaining_seconds` is below zero when the lease has expired."""

    holder: str
    epoch: int
    remaining_seconds: float


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """One environment. `target_silence` says why the target could not be asked, empty when it answered."""

    environment: str
    revision: int
    lease: LeaseStatus | None
    abandoned: bool
    services: tuple[ServiceStatus, ...]
    target_silence: str


def inspect_environment(ports: EnvironmentPorts, service: str | None = None) -> EnvironmentStatus:
    """Look once, at one service or at all; raise only for a ledger that cannot be read."""
    record = ports.ledger.read()
    names = [name for name in record.services if service in (None, name)]
    silences: list[str] = []
    services = tuple(_inspect_service(ports, name, record.services[name], silences) for name in names)
    now = ports.clock.now()
    return EnvironmentStatus(
        environment=ports.name,
        revision=record.revision,
        lease=_lease(record, now),
        abandoned=is_abandoned(record, now),
        services=services,
        target_silence=silences[0] if silences else "",
    )


def _inspect_service(ports: EnvironmentPorts, name: str, service: ServiceRecord, silences: list[str]) -> ServiceStatus:
    routed = _ask(lambda: ports.router.read_route(name), silences)
    running = {colour: _ask(lambda: ports.slots.read_status(name, colour), silences) for colour in Colour}  # noqa: B023 - called at once
    live_release = service.slot(service.live).release if service.live else None
    return ServiceStatus(
        service=name,
        live=service.live,
        live_version=live_release.version if live_release else None,
        colours=tuple(_colour(service, colour, routed, running[colour]) for colour in Colour),
        rollout=_rollout(service.rollout),
        disagreements=find_disagreements(service, routed, running),
    )


def find_disagreements(
    service: ServiceRecord, routed: Route | None, running: dict[Colour, SlotStatus | None]
) -> tuple[str, ...]:
    """Sentences about what the ledger and the target say differently; what the target did not say counts too."""
    found = []
    if service.live is not None and service.slot(service.live).release is None:
        found.append(f"the ledger says that {service.live} is live, and that nothing runs there")
    if service.route is not None and routed is None:
        found.append(f"the router knows no route; the ledger says {_split(service.route)}")
    elif service.route is not None and routed is not None and routed != service.route:
        under_way = " (a change may be under way)" if service.rollout else ""
        found.append(f"the router applies {_split(routed)}; the ledger says {_split(service.route)}{under_way}")
    for colour, status in running.items():
        found += _slot_disagreements(service, colour, status)
    return tuple(found)


def _slot_disagreements(service: ServiceRecord, colour: Colour, status: SlotStatus | None) -> list[str]:
    release = service.slot(colour).release
    if status is None:
        return [f"nobody says whether {release.version} runs on {colour}"] if release else []
    if release is None:
        stray = f"{status.wanted_replicas} replicas run on {colour}, where nothing should"
        return [stray] if status.wanted_replicas else []
    starting = service.rollout is not None and service.rollout.new_colour is colour and service.live is not colour
    if status.ready or starting:
        return []
    ready = f"{status.ready_replicas} of {status.wanted_replicas} replicas ready"
    return [f"{release.version} should run on {colour}: {ready}" + (f", {status.detail}" if status.detail else "")]


def _ask(question: Callable[[], _T], silences: list[str]) -> _T | None:
    try:
        return question()
    except SwitchoverError as error:
        silences.append(f"{error.problem.failed}: {error.problem.found}")
        return None


def _colour(service: ServiceRecord, colour: Colour, routed: Route | None, status: SlotStatus | None) -> ColourStatus:
    release = service.slot(colour).release
    return ColourStatus(
        colour=colour,
        version=release.version if release else None,
        is_live=service.live is colour,
        ledger_percent=service.route.percent(colour) if service.route else None,
        router_percent=routed.percent(colour) if routed else None,
        ready_replicas=status.ready_replicas if status else None,
        wanted_replicas=status.wanted_replicas if status else None,
        detail=status.detail if status else "",
    )


def _rollout(rollout: Rollout | None) -> RolloutStatus | None:
    if rollout is None:
        return None
    return RolloutStatus(
        id=rollout.id,
        from_version=rollout.old_version,
        to_version=rollout.release.version,
        strategy=rollout.strategy,
        phase=rollout.phase,
        canary_percent=rollout.canary_percent,
        started_at=rollout.started_at,
        changed_at=rollout.changed_at,
        reasons=rollout.reasons,
        flow_run_id=rollout.flow_run_id,
    )


def _lease(record: EnvironmentRecord, now: float) -> LeaseStatus | None:
    lease = record.lease
    return LeaseStatus(lease.holder, lease.epoch, round(lease.expires_at - now, 1)) if lease else None


def _split(route: Route) -> str:
    return f"blue {route.blue_percent} %, green {route.green_percent} %"
