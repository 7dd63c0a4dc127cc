"""Bringing a service back: the traffic first, the rest after. From the ledger alone; repeating is safe."""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchover.decide.deployment import Action, DeployPlan
from switchover.decide.rollback import (
    DEPLOY,
    ROLLBACK,
    RollbackPlan,
    Way,
    plan_recovery,
    plan_rollback,
    reaches,
    rollback_reason,
)
from switchover.decide.rollout import Event
from switchover.errors import InputError, SwitchoverError
from switchover.model import (
    EnvironmentRecord,
    HistoryEntry,
    JudgeSettings,
    Rollout,
    ServiceRecord,
    Step,
)
from switchover.operations.closing import close_rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, take_over, take_over_if
from switchover.operations.retreat import retreat
from switchover.operations.roll_out import roll_out
from switchover.operations.route import retire

LEASE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Who wants which service back on what, and why. `version` None: what was live before.

    `only` names a rollout: nothing is touched when that one has ended already, whatever else is in flight.
    """

    service: str
    version: str | None
    holder: str
    reason: str
    rollout_id: str
    event: Event = Event.ROLLBACK_REQUESTED
    only: str | None = None


def read_plan(ports: EnvironmentPorts, service: str, version: str | None) -> RollbackPlan:
    """The plan as the ledger has it now, without touching anything."""
    record = ports.ledger.read()
    if service not in record.services:
        raise InputError(
            f"nothing of {service} is in {ports.name}",
            expected="a service that was deployed there: " + (", ".join(record.services) or "none was yet"),
            found=service,
            next_step="name one of those, or deploy it first",
        )
    return plan_rollback(service, record.services[service], ports.ledger.read_history(service, 1000), version)


def read_plan_of_run(ports: EnvironmentPorts, service_name: str, flow_run_id: str) -> RollbackPlan:
    """The plan for the rollout that this flow run began; nothing to do when that one has ended already."""
    service = ports.ledger.read().services.get(service_name, ServiceRecord())
    if service.rollout is not None and service.rollout.flow_run_id != flow_run_id:
        service = replace(service, rollout=None)
    return plan_recovery(service_name, service)


def restore_traffic(ports: EnvironmentPorts, request: RollbackRequest) -> tuple[Claim, RollbackPlan]:
    """The urgent half for a rollout in flight: take the environment over and put all traffic where it belongs.

    Whatever the older epoch still wants to do is refused from here. With nothing in flight the plan says so, the
    environment stays with whoever has it, and the claim is good for nothing.
    """

    def in_flight(record: EnvironmentRecord) -> bool:
        rollout = record.services.get(request.service, ServiceRecord()).rollout
        return rollout is not None and request.only in (None, rollout.id)

    claim = take_over_if(ports, request.holder, LEASE_SECONDS, in_flight)
    if claim is None:
        service = ports.ledger.read().services.get(request.service, ServiceRecord())
        nothing = Claim(request.holder, epoch=0, lease_seconds=0.0)
        return nothing, plan_recovery(request.service, replace(service, rollout=None))
    return claim, retreat(ports, claim, request.service, request.event, (rollback_reason(request.reason),))


def end_rollout(ports: EnvironmentPorts, claim: Claim, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry:
    """The rest, after `restore_traffic`: drain and stop the colour that lost, close the rollout, tell people."""
    rollout = _rollout(ports.ledger.read(), request.service)
    if plan.empty is not None:
        retire(ports, claim, rollout, plan.empty)
    event = Event.FINALIZED if plan.way is Way.FINISH else Event.RESTORED
    kind = ROLLBACK if rollout.strategy == ROLLBACK else DEPLOY
    return close_rollout(ports, claim, rollout, event, kind=kind)


def redeploy(ports: EnvironmentPorts, claim: Claim, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry:
    """Start an earlier release beside the live one, by digest from the ledger, and switch when it is ready."""
    redeployment = _redeployment(ports, request, plan)
    try:
        reasons = (rollback_reason(request.reason),)
        return roll_out(ports, claim, redeployment, rollout_id=request.rollout_id, kind=ROLLBACK, reasons=reasons)
    except SwitchoverError:
        undo = replace(request, version=None, event=Event.FAILED)
        claim, way_back = restore_traffic(ports, undo)
        end_rollout(ports, claim, undo, way_back)
        raise


def roll_back(ports: EnvironmentPorts, request: RollbackRequest) -> tuple[RollbackPlan, HistoryEntry | None]:
    """The whole rollback: what the command line, the watchdog and the flows all do.

    Returns the last plan applied and its history entry, None when there was nothing to do.
    """
    plan = read_plan(ports, request.service, request.version)
    if plan.way is Way.NOTHING:
        return plan, None
    if plan.way is Way.REDEPLOY:
        claim = take_over(ports, request.holder, LEASE_SECONDS)
        return plan, redeploy(ports, claim, request, plan)
    claim, applied = restore_traffic(ports, request)
    if applied.way is Way.NOTHING:  # somebody else was faster
        return (applied, None) if reaches(plan, request.version) else roll_back(ports, request)
    entry = end_rollout(ports, claim, request, applied)
    return (applied, entry) if reaches(applied, request.version) else roll_back(ports, request)


def _redeployment(ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan) -> DeployPlan:
    service = ports.ledger.read().services[request.service]
    live = service.slot(service.live).release if service.live else None
    if plan.release is None or plan.workload is None or plan.serve is None:
        msg = "a redeployment names its release"
        raise ValueError(msg)
    return DeployPlan(
        action=Action.ROLL_OUT,
        environment=ports.name,
        release=plan.release,
        workload=plan.workload,
        new_colour=plan.serve,
        old_colour=service.live,
        old_version=live.version if live else None,
        strategy=ROLLBACK,
        steps=(Step(100, 0.0),),
        bake_seconds=0.0,
        lease_seconds=LEASE_SECONDS,
        smoke_tests=(),
        judge=JudgeSettings(),
        reason=request.reason,
    )


def _rollout(record: EnvironmentRecord, service: str) -> Rollout:
    rollout = record.services[service].rollout
    if rollout is None:
        msg = f"the rollout of {service} is gone from the ledger"
        raise ValueError(msg)
    return rollout
