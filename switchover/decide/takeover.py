"""Who may take an environment over from whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from switchover.decide.rollback import ROLLBACK, RollbackPlan, Way
from switchover.decide.rollout import Event
from switchover.model import EnvironmentRecord, Lease, Phase, ServiceRecord


class Permission(StrEnum):
    """The answer, for the moment of the record that was judged."""

    GRANTED = "granted"
    LEAVE_IT = "somebody else is ending it"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Takeover:
    """The answer with its reason."""

    permission: Permission
    reason: str


def judge_takeover(
    record: EnvironmentRecord, plan: RollbackPlan, *, holder: str, event: Event, version: str | None, now: float
) -> Takeover:
    """Whether `holder` may take the environment over to apply `plan` at `now` (epoch seconds).

    A lease that has expired is anybody's, and the only one that the watchdog takes. A hook or an automation takes
    over from the deployer of that very rollout only: a person, or another rollback, that is at it already must
    never be fenced by it. A person (`event` is a request) may take over from anybody, except from a rollback
    that already does what is wanted, and from another service's rollout, which has done nothing wrong.
    """
    lease = record.lease
    if lease is None or lease.expires_at <= now:
        return Takeover(Permission.GRANTED, "nobody holds a valid lease")
    if lease.holder == holder:
        return Takeover(Permission.GRANTED, "the same rollback goes on")
    rollout = record.services.get(plan.service, ServiceRecord()).rollout
    if event is not Event.ROLLBACK_REQUESTED:
        own = rollout is not None and lease.epoch == rollout.epoch
        if own and event is not Event.LEASE_EXPIRED:
            return Takeover(Permission.GRANTED, "its deployer still holds the lease")
        return Takeover(Permission.LEAVE_IT, f"{lease.holder} has it")
    return _judge_person(record, lease, plan, version)


def _judge_person(record: EnvironmentRecord, lease: Lease, plan: RollbackPlan, version: str | None) -> Takeover:
    rollout = record.services.get(plan.service, ServiceRecord()).rollout
    if plan.way is Way.REDEPLOY:
        others = [service.rollout for service in record.services.values() if service.rollout]
        if others:
            doing = ", ".join(f"{other.service} {other.release.version} is {other.phase}" for other in others)
            return Takeover(Permission.BUSY, f"{lease.holder} has it ({doing})")
    wanted = rollout is not None and version in (None, rollout.release.version)
    if rollout is not None and rollout.strategy == ROLLBACK and rollout.phase is not Phase.RETREATING and wanted:
        return Takeover(Permission.BUSY, f"{lease.holder} is rolling back to {rollout.release.version} already")
    return Takeover(Permission.GRANTED, f"taken over from {lease.holder}")
