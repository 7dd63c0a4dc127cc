"""The rollout in the ledger: read under a claim, advanced by events."""

from __future__ import annotations

from switchover.decide.record import apply_event
from switchover.decide.rollout import Event
from switchover.model import EnvironmentRecord, Phase, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend, check_claim


def read_rollout(ports: EnvironmentPorts, claim: Claim, service: str) -> Rollout:
    """The rollout as the ledger has it now; raise `FencedError` when it is no longer the claim's."""
    record = ports.ledger.read()
    check_claim(record, claim)
    return rollout_in(record, service)


def enter(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, phase: Phase, event: Event) -> Rollout:
    """Record the event that leads to `phase`, unless the rollout is there already (a repeated step)."""
    current = read_rollout(ports, claim, rollout.service)
    return current if current.phase is phase else record_event(ports, claim, rollout, event)


def record_event(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, event: Event, *, canary_percent: int | None = None
) -> Rollout:
    """Record the event, under the claim; return the rollout after it."""

    def change(record: EnvironmentRecord) -> EnvironmentRecord:
        return apply_event(record, rollout.service, event, now=ports.clock.now(), canary_percent=canary_percent)

    return rollout_in(amend(ports, claim, change), rollout.service)


def rollout_in(record: EnvironmentRecord, service: str) -> Rollout:
    """The rollout that must be in the record."""
    rollout = record.services[service].rollout
    if rollout is None:
        msg = f"the rollout of {service} is gone from the ledger"
        raise ValueError(msg)
    return rollout
