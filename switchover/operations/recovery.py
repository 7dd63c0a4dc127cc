"""Finishing what a dead deployer left behind, and taking back what a failed flow run began."""

from __future__ import annotations

from switchover.decide.rollout import Event
from switchover.errors import FencedError
from switchover.model import EnvironmentRecord, HistoryEntry, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import is_abandoned
from switchover.operations.rollback import (
    RollbackRequest,
    end_if_in_flight,
    read_plan,
    restore_traffic,
)


def recover_abandoned(ports: EnvironmentPorts, holder: str) -> tuple[HistoryEntry, ...]:
    """End every rollout whose lease has expired; nothing when there is none.

    Several processes may find the same one at once: the ledger's epochs let one of them finish, and the
    others see that they are fenced and leave it alone.
    """
    record = ports.ledger.read()
    if not is_abandoned(record, ports.clock.now()):
        return ()
    entries = []
    for rollout in rollouts_in_flight(record):
        silent = ports.clock.now() - (record.lease.expires_at if record.lease else rollout.changed_at)
        request = RollbackRequest(
            service=rollout.service,
            version=None,
            holder=holder,
            reason=f"its deployer went silent; the lease expired {max(0.0, silent):.0f} s ago",
            rollout_id=rollout.id,
            event=Event.LEASE_EXPIRED,
            only=rollout.id,
        )
        entry = end_if_in_flight(ports, request)
        if entry:
            entries.append(entry)
    return tuple(entries)


def take_back_run(ports: EnvironmentPorts, flow_run_id: str, event: Event, reason: str) -> Rollout | None:
    """Put the traffic back for the rollout that this flow run began; None when there is nothing to do about it.

    A run that was refused because another one holds the environment began nothing, and takes nothing back. A
    rollout that a person is rolling back already is left to that person.
    """
    rollout = find_run(ports.ledger.read(), flow_run_id)
    if rollout is None:
        return None
    request = request_for_run(rollout, event, reason)
    plan = read_plan(ports, rollout.service, None, rollout.id)
    try:
        return rollout if restore_traffic(ports, request, plan) else None
    except FencedError:
        return None


def end_run(ports: EnvironmentPorts, flow_run_id: str, reason: str, event: Event = Event.FAILED) -> HistoryEntry | None:
    """End the rollout that this flow run began; None when it has ended, or somebody else is ending it."""
    rollout = find_run(ports.ledger.read(), flow_run_id)
    return end_if_in_flight(ports, request_for_run(rollout, event, reason)) if rollout else None


def find_rollout_of_run(record: EnvironmentRecord, flow_run_id: str) -> str:
    """The id of the rollout in flight that this flow run began; empty when there is none."""
    rollout = find_run(record, flow_run_id)
    return rollout.id if rollout else ""


def request_for_run(rollout: Rollout, event: Event, reason: str) -> RollbackRequest:
    """The rollback that a flow run's end asks for. Its holder is the same for the hook and for the automation."""
    return RollbackRequest(
        service=rollout.service,
        version=None,
        holder=f"rollback of {rollout.service} {rollout.release.version} ({rollout.id[:8]})",
        reason=reason,
        rollout_id=rollout.id,
        event=event,
        only=rollout.id,
    )


def find_run(record: EnvironmentRecord, flow_run_id: str) -> Rollout | None:
    """The rollout in flight that this flow run began."""
    return next((each for each in rollouts_in_flight(record) if each.flow_run_id == flow_run_id), None)


def rollouts_in_flight(record: EnvironmentRecord) -> tuple[Rollout, ...]:
    """Every rollout that has not ended."""
    return tuple(service.rollout for service in record.services.values() if service.rollout)
