"""An environment's status as text."""

from __future__ import annotations

from switchover.cli.inspection import (
    ColourStatus,
    EnvironmentStatus,
    LeaseStatus,
    RolloutStatus,
    ServiceStatus,
    find_disagreements,
)
from switchover.cli.tables import Rows, render_table
from switchover.model import HistoryEntry

_HEAD = ("service", "colour", "version", "live", "ledger", "router", "ready", "")
_LAST_REASONS = 3


def render_status(statuses: tuple[EnvironmentStatus, ...]) -> str:
    """All environments, one after the other."""
    return "\n\n".join(_render_environment(status) for status in statuses)


def _render_environment(status: EnvironmentStatus) -> str:
    lines = [f"{status.environment} ({_lease(status.lease)})"]
    if not status.services:
        return "\n".join([*lines, "nothing was deployed here yet"])
    rows: Rows = [_row(service, colour) for service in status.services for colour in service.colours]
    lines.append(render_table(_HEAD, rows))
    if not status.is_stopped:
        lines += [f"{each.service} is at http://{each.address}" for each in status.services if each.address]
    for service in status.services:
        lines += _render_rollout(service.service, service.rollout) or _render_last(service.last_ended)
    if status.target_silence:
        lines.append(("" if status.is_stopped else "the target does not answer: ") + status.target_silence)
    lines += [f"DISAGREEMENT {sentence}" for sentence in find_disagreements(status)]
    if status.abandoned:
        lines.append("the deployer of this rollout is gone; `switchover rollback`, or the watchdog, ends it")
    return "\n".join(lines)


def _row(service: ServiceStatus, colour: ColourStatus) -> tuple[str, ...]:
    ready = "?" if colour.ready_replicas is None else f"{colour.ready_replicas}/{colour.wanted_replicas}"
    return (
        service.service,
        colour.colour.value,
        colour.version or "-",
        "live" if colour.is_live else "",
        _percent(colour.ledger_percent, "-"),
        _percent(colour.router_percent, "?"),
        ready,
        colour.detail,
    )


def _render_rollout(service: str, rollout: RolloutStatus | None) -> list[str]:
    if rollout is None:
        return []
    what = f"{service} {rollout.from_version or 'nothing'} -> {rollout.to_version} ({rollout.strategy})"
    lines = [f"in flight: {what}: {rollout.phase} at {rollout.canary_percent} %"]
    if rollout.verdict:
        lines.append(f"  the judge: {rollout.verdict}")
    return lines + [f"  {reason.rule}: {reason.message}" for reason in rollout.reasons[-_LAST_REASONS:]]


def _render_last(entry: HistoryEntry | None) -> list[str]:
    if entry is None:
        return []
    what = f"last: {entry.service} {entry.from_version or 'nothing'} -> {entry.to_version} ({entry.strategy})"
    lines = [f"{what}: {entry.outcome}"]
    return lines + [f"  {reason.rule}: {reason.message}" for reason in entry.reasons[:_LAST_REASONS]]


def _lease(lease: LeaseStatus | None) -> str:
    if lease is None:
        return "free"
    if lease.remaining_seconds <= 0:
        return f"the lease of {lease.holder} expired {-lease.remaining_seconds:.0f} s ago"
    return f"held by {lease.holder} for another {lease.remaining_seconds:.0f} s"


def _percent(value: int | None, absent: str) -> str:
    return absent if value is None else f"{value} %"
