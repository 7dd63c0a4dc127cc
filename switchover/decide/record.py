"""How events change the ledger's document. Every function takes a record and returns the next one."""

from __future__ import annotations

from dataclasses import replace

from switchover.decide.deployment import DeployPlan
from switchover.decide.rollout import ENDED, Event, advance
from switchover.errors import InputError
from switchover.model import (
    WHOLE,
    Approval,
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    Phase,
    Reason,
    Rollout,
    Route,
    ServiceRecord,
    Slot,
    Verdict,
)


def begin_rollout(
    plan: DeployPlan,
    record: EnvironmentRecord,
    *,
    rollout_id: str,
    now: float,
    flow_run_id: str | None,
    reasons: tuple[Reason, ...] = (),
) -> EnvironmentRecord:
    """The record with this rollout in flight: the intent that stands before every effect.

    Raises `InputError` when the live colour is no longer the one that was planned against.
    """
    name = plan.release.service
    service = record.services.get(name, ServiceRecord())
    if plan.adopts and plan.old_colour is not None and service == ServiceRecord():
        service = ServiceRecord(live=plan.old_colour, route=Route.giving(plan.old_colour, WHOLE))
    if service.live != plan.old_colour or service.live is plan.new_colour or service.rollout is not None:
        raise InputError(
            f"{plan.environment} changed while the deployment of {name} was planned",
            expected=f"{plan.old_colour or 'nothing'} live and no rollout in flight",
            found=f"{service.live or 'nothing'} live, rollout {service.rollout.id if service.rollout else 'none'}",
            next_step="run the deployment again",
        )
    rollout = Rollout(
        id=rollout_id,
        service=name,
        release=plan.release,
        workload=plan.workload,
        new_colour=plan.new_colour,
        old_colour=plan.old_colour,
        old_version=plan.old_version,
        strategy=plan.strategy,
        steps=plan.steps,
        phase=Phase.PREPARING,
        canary_percent=0,
        epoch=record.epoch,
        started_at=now,
        changed_at=now,
        reasons=reasons,
        flow_run_id=flow_run_id,
        migrations=plan.migrations,
    )
    slot = Slot(plan.release, plan.workload)
    return with_service(record, name, with_slot(replace(service, rollout=rollout), plan.new_colour, slot))


def apply_event(
    record: EnvironmentRecord,
    service_name: str,
    event: Event,
    *,
    now: float,
    canary_percent: int | None = None,
    reasons: tuple[Reason, ...] = (),
) -> EnvironmentRecord:
    """The record after `event` of the service's rollout.

    Live changes hands at the commit point, when the rollout enters `finalizing`, and nowhere else. A rollout
    that ends leaves the record: the losing colour's slot is empty then.
    """
    service = record.services[service_name]
    if service.rollout is None:
        msg = f"{service_name} has no rollout that could become {event!s}"
        raise ValueError(msg)
    rollout = advance(service.rollout, event, now=now, canary_percent=canary_percent, reasons=reasons)
    service = replace(
        service,
        rollout=rollout,
        route=Route.giving(rollout.new_colour, rollout.canary_percent),
        live=rollout.new_colour if rollout.phase in (Phase.FINALIZING, Phase.LIVE) else service.live,
    )
    return with_service(record, service_name, _without_ended_rollout(service, rollout))


def _without_ended_rollout(service: ServiceRecord, rollout: Rollout) -> ServiceRecord:
    if rollout.phase not in ENDED:
        return service
    loser = rollout.new_colour if rollout.phase is Phase.ROLLED_BACK else rollout.new_colour.other
    ended = replace(service, rollout=None, route=service.route if service.live else None)
    return with_slot(ended, loser, Slot())


def note_verdict(record: EnvironmentRecord, service_name: str, verdict: Verdict) -> EnvironmentRecord:
    """The record with the judge's last word on the rollout in flight."""
    service = record.services[service_name]
    rollout = service.rollout and replace(service.rollout, verdict=verdict)
    return with_service(record, service_name, replace(service, rollout=rollout))


def note_contracting(record: EnvironmentRecord, service_name: str) -> EnvironmentRecord:
    """The record that says that the contract migration is about to begin."""
    service = record.services[service_name]
    rollout = service.rollout and replace(service.rollout, contracting=True)
    return with_service(record, service_name, replace(service, rollout=rollout))


def note_approval(
    record: EnvironmentRecord,
    service_name: str,
    approval: Approval,
    *,
    rollout_id: str | None = None,
    version: str | None = None,
) -> EnvironmentRecord:
    """The record with a person's answer, which the rollout must be waiting for. The first answer counts.

    `rollout_id` and `version` are what the person looked at, None: not said. Raises `InputError` when another rollout
    waits by now, or none.
    """
    service = record.services.get(service_name, ServiceRecord())
    rollout = service.rollout
    waits = rollout is not None and rollout.phase is Phase.APPROVING
    if (
        rollout is None
        or not waits
        or rollout_id not in (None, rollout.id)
        or version not in (None, rollout.release.version)
    ):
        asked = f" of {version}" if version else ""
        raise InputError(
            f"{service_name} in {record.environment} does not wait for an approval{asked}",
            expected="the rollout that was looked at, tested and without a user yet",
            found=f"{rollout.release.version} is {rollout.phase}" if rollout else "no rollout in flight",
            next_step="look at `switchover status`",
        )
    answered = rollout if rollout.approval else replace(rollout, approval=approval)
    return with_service(record, service_name, replace(service, rollout=answered))


def history_of(rollout: Rollout, *, kind: str, ended_at: float) -> HistoryEntry:
    """What is kept of a rollout that has ended: its reasons, and for one that went live what the judge said last."""
    if rollout.phase not in ENDED:
        msg = f"a rollout that is {rollout.phase} has no outcome yet"
        raise ValueError(msg)
    return HistoryEntry(
        id=rollout.id,
        service=rollout.service,
        kind=kind,
        from_version=rollout.old_version,
        to_version=rollout.release.version,
        release=rollout.release,
        workload=rollout.workload,
        strategy=rollout.strategy,
        outcome=rollout.phase.value,
        reasons=rollout.reasons + _praise(rollout),
        started_at=rollout.started_at,
        ended_at=ended_at,
        epoch=rollout.epoch,
    )


def _praise(rollout: Rollout) -> tuple[Reason, ...]:
    """Who approved a release that went live, and what the judge said of it last."""
    if rollout.phase is not Phase.LIVE:
        return ()
    approval = rollout.approval
    comment = f": {approval.comment}" if approval and approval.comment else ""
    approved = (Reason("approval", f"approved by {approval.by}{comment}"),) if approval else ()
    return approved + (rollout.verdict.reasons if rollout.verdict else ())


def with_service(record: EnvironmentRecord, name: str, service: ServiceRecord) -> EnvironmentRecord:
    """The record with one service replaced."""
    return replace(record, services={**record.services, name: service})


def with_slot(service: ServiceRecord, colour: Colour, slot: Slot) -> ServiceRecord:
    """The service with one slot replaced."""
    return replace(service, blue=slot) if colour is Colour.BLUE else replace(service, green=slot)
