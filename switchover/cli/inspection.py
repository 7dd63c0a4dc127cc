"""One look at an environment: what the ledger says, what the target says, and where the two disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from switchover.cli.surroundings import Surroundings
from switchover.errors import SwitchoverError
from switchover.model import (
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    Phase,
    Reason,
    Rollout,
    Route,
    ServiceRecord,
    SlotStatus,
    Verdict,
)
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
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service with both colours and everything that does not fit together.

    `address` is where users reach it, as `host:port`; None where nobody knows. `last_ended` is the rollout that
    ended last, with its outcome and reasons; None when none has.
    """

    service: str
    address: str | None
    live: Colour | None
    live_version: str | None
    colours: tuple[ColourStatus, ...]
    rollout: RolloutStatus | None
    disagreements: tuple[str, ...]
    last_ended: HistoryEntry | None = None


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """Who may change the environment; `remaining_seconds` is below zero when the lease has expired."""

    holder: str
    epoch: int
    remaining_seconds: float


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """One environment. `target_silence` says why the target could not be asked, empty when it answered.

    One that `is_stopped` was not asked: what should run there and does not is no disagreement.
    """

    environment: str
    revision: int
    lease: LeaseStatus | None
    abandoned: bool
    services: tuple[ServiceStatus, ...]
    target_silence: str
    is_stopped: bool


def inspect_environment(
    ports: EnvironmentPorts, service: str | None = None, surroundings: Surroundings | None = None
) -> EnvironmentStatus:
    """Look once, at one service or at all; raise only for a ledger that cannot be read."""
    around = surroundings or Surroundings()
    record = ports.ledger.read()
    chosen = {name: each for name, each in record.services.items() if service in (None, name)}
    is_stopped = around.is_stopped()
    silences = [f"{ports.name} is stopped; `switchover start` brings it back"] if is_stopped else []
    services = tuple(
        _describe_stopped(name, each, around)
        if is_stopped
        else _inspect_service(ports, name, each, silences, around.read_address(name))
        for name, each in chosen.items()
    )
    now = ports.clock.now()
    return EnvironmentStatus(
        environment=ports.name,
        revision=record.revision,
        lease=_lease(record, now),
        abandoned=is_abandoned(record, now),
        services=tuple(_with_last_ended(ports, each) for each in services),
        target_silence=silences[0] if silences else "",
        is_stopped=is_stopped,
    )


def _with_last_ended(ports: EnvironmentPorts, status: ServiceStatus) -> ServiceStatus:
    newest = ports.ledger.read_history(status.service, 1)
    return replace(status, last_ended=newest[0]) if newest else status


def find_disagreements(status: EnvironmentStatus) -> tuple[str, ...]:
    """One sentence for each thing that the ledger and the target say differently, with the name of its service."""
    return tuple(f"{service.service}: {what}" for service in status.services for what in service.disagreements)


def _inspect_service(
    ports: EnvironmentPorts, name: str, service: ServiceRecord, silences: list[str], address: str | None
) -> ServiceStatus:
    routed = _ask(lambda: ports.router.read_route(name), silences)
    running = {colour: _ask(lambda: ports.slots.read_status(name, colour), silences) for colour in Colour}  # noqa: B023 - called at once
    return ServiceStatus(
        service=name,
        address=address,
        live=service.live,
        live_version=_live_version(service),
        colours=tuple(_colour(service, colour, routed, running[colour]) for colour in Colour),
        rollout=_rollout(service.rollout),
        disagreements=_compare(service, routed, running),
    )


def _describe_stopped(name: str, service: ServiceRecord, around: Surroundings) -> ServiceStatus:
    return ServiceStatus(
        service=name,
        address=around.read_address(name),
        live=service.live,
        live_version=_live_version(service),
        colours=tuple(_colour(service, colour, None, None) for colour in Colour),
        rollout=_rollout(service.rollout),
        disagreements=(),
    )


def _live_version(service: ServiceRecord) -> str | None:
    release = service.slot(service.live).release if service.live else None
    return release.version if release else None


def _compare(service: ServiceRecord, routed: Route | None, running: dict[Colour, SlotStatus | None]) -> tuple[str, ...]:
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
        verdict=rollout.verdict,
    )


def _lease(record: EnvironmentRecord, now: float) -> LeaseStatus | None:
    lease = record.lease
    return LeaseStatus(lease.holder, lease.epoch, round(lease.expires_at - now, 1)) if lease else None


def _split(route: Route) -> str:
    return f"blue {route.blue_percent} %, green {route.green_percent} %"
