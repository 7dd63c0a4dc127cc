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
    rollback_reason,
    still_holds,
)
from switchover.decide.rollout import Event
from switchover.decide.takeover import Permission, Takeover, judge_takeover
from switchover.errors import BusyError, FencedError, InputError, SwitchoverError
from switchover.model import (
    EnvironmentRecord,
    HistoryEntry,
    JudgeSettings,
    ServiceRecord,
    Step,
)
from switchover.operations.closing import close_rollout, find_closed
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, take_over
from switchover.operations.retreat import retreat
from switchover.operations.roll_out import roll_out
from switchover.operations.rollout import settle
from switchover.operations.rollout_record import read_rollout
from switchover.operations.route import free_size, retire

LEASE_SECONDS = 15.0
_PLANS = 20
_WHOLE_HISTORY = 1000


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Who wants which service back on what, and why. `version` None: what was live before.

    `only` names a rollout: something automatic (a hook, an automation, the watchdog) wants that one ended and
    nothing else touched. None: a person wants it. `rollout_id` is what a redeployment is recorded as.
    `accept_irreversible`: go back even behind a migration that cannot be taken back.
    """

    service: str
    version: str | None
    holder: str
    reason: str
    rollout_id: str
    event: Event = Event.ROLLBACK_REQUESTED
    only: str | None = None
    accept_irreversible: bool = False


def read_plan(ports: EnvironmentPorts, service: str, version: str | None, only: str | None = None) -> RollbackPlan:
    """The plan as the ledger has it now, without touching anything."""
    record = ports.ledger.read()
    if service not in record.services:
        raise InputError(
            f"nothing of {service} is in {ports.name}",
            expected="a service that was deployed there: " + (", ".join(record.services) or "none was yet"),
            found=service,
            next_step="name one of those, or deploy it first",
        )
    return _plan_for(ports, record, service, version, only)


def restore_traffic(ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan) -> Claim | None:
    """The urgent half for a rollout in flight: take the environment over and put all traffic where it belongs.

    Whatever the older epoch still wants to do is refused from here. None, and nothing touched, when the plan no
    longer holds. Raises `FencedError` when somebody else is at it, `BusyError` for a person who has to wait.
    """
    claim = _claim(ports, request, plan)
    if claim is not None:
        retreat(ports, claim, request.service, request.event, (rollback_reason(request.reason),))
    return claim


def end_rollout(ports: EnvironmentPorts, claim: Claim, plan: RollbackPlan, *, contracting: bool = True) -> HistoryEntry:
    """The rest, after `restore_traffic`: drain and stop the colour that lost, close the rollout, tell people.

    `contracting` False: a committed rollout removes nothing more, because it is rolled back next.
    """
    closed = find_closed(ports, plan.service, plan.rollout_id)
    if closed:
        return closed
    rollout = read_rollout(ports, claim, plan.service)
    kind = ROLLBACK if rollout.strategy == ROLLBACK else DEPLOY
    if plan.way is Way.FINISH:
        return settle(ports, claim, rollout, kind=kind, contracting=contracting)
    if rollout.migrations:
        ports.migrator.end_migrations(plan.service, epoch=claim.epoch)
    if plan.empty is not None:
        retire(ports, claim, rollout, plan.empty)
    if plan.serve is not None:
        free_size(ports, claim, plan.service, plan.serve)
    return close_rollout(ports, claim, rollout, Event.RESTORED, kind=kind)


def roll_back(
    ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan
) -> tuple[RollbackPlan, HistoryEntry | None]:
    """The whole rollback of a person: the same from the command line and from the flow.

    `plan` is what the person was shown. It is made anew whenever the environment changed before it was applied,
    but 'what was live before' keeps the meaning that it had there: a hook that is faster must not make it mean
    one release further back. Returns the last
    plan and the history entry of what was done, None for nothing. Raises `FencedError` when another person
    takes over in the middle.
    """
    done = find_closed(ports, request.service, request.rollout_id)
    if done or plan.way is Way.NOTHING:
        return plan, done
    target = _settle(ports, request, plan)
    for _ in range(_PLANS):
        done = _apply(ports, request, plan) or done
        applied, plan = plan, _read_next_plan(ports, request.service, target)
        if plan.way is Way.NOTHING:
            return (applied, done) if done else (plan, None)
    raise BusyError(
        f"{request.service} in {ports.name} changes faster than it can be rolled back",
        expected=f"one of {_PLANS} plans to hold until it was applied",
        found="somebody else changing it each time",
        next_step="see who (`switchover status`, `switchover history`), then repeat",
    )


def end_if_in_flight(ports: EnvironmentPorts, request: RollbackRequest) -> HistoryEntry | None:
    """End the rollout that `request.only` names; None when it has ended, or somebody else is ending it."""
    plan = read_plan(ports, request.service, None, request.only)
    if plan.way is Way.NOTHING:
        return None
    try:
        return _apply(ports, request, plan)
    except FencedError:
        return None


def _apply(ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry | None:
    """Apply the plan if it still holds; None, and nothing touched, when it does not."""
    if plan.way is Way.REDEPLOY:
        _require_word(request, plan)
        claim = _claim(ports, request, plan)
        return None if claim is None else _redeploy(ports, claim, request, plan)
    by_person = request.event is Event.ROLLBACK_REQUESTED
    if plan.way is Way.FINISH and by_person:
        _require_word_for_contraction(ports, request)
    claim = restore_traffic(ports, request, plan)
    return None if claim is None else end_rollout(ports, claim, plan, contracting=not by_person)


def _redeploy(ports: EnvironmentPorts, claim: Claim, request: RollbackRequest, plan: RollbackPlan) -> HistoryEntry:
    """Start an earlier release beside the live one, by digest from the ledger, and switch when it is ready."""
    redeployment = _redeployment(ports, request, plan)
    reasons = (rollback_reason(request.reason),)
    try:
        return roll_out(ports, claim, redeployment, rollout_id=request.rollout_id, kind=ROLLBACK, reasons=reasons)
    except FencedError:
        raise  # whoever took over decides
    except SwitchoverError:
        end_if_in_flight(ports, replace(request, event=Event.FAILED, only=request.rollout_id))
        raise


def _claim(ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan) -> Claim | None:
    def still_right(record: EnvironmentRecord) -> bool:
        # A rollout in flight is ended the same way whatever is wanted afterwards.
        wanted = plan.serve_version if plan.way is Way.REDEPLOY else None
        if not still_holds(plan, _plan_for(ports, record, request.service, wanted, request.only)):
            return False
        takeover = judge_takeover(
            record,
            plan,
            holder=request.holder,
            event=request.event,
            version=request.version,
            now=ports.clock.now(),
        )
        _require_permission(ports.name, request, takeover)
        return True

    return take_over(ports, request.holder, LEASE_SECONDS, still_right)


def _read_next_plan(ports: EnvironmentPorts, service: str, target: str | None) -> RollbackPlan:
    """What is left to do to get to `target`; with None only what is still in flight."""
    if target is not None:
        return read_plan(ports, service, target)
    return plan_recovery(service, ports.ledger.read().services[service])


def _settle(ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan) -> str | None:
    """The version that the service is to end on; None when it is to end on nothing."""
    if request.version is not None or plan.way is not Way.FINISH:
        return request.version or plan.serve_version
    rollout = ports.ledger.read().services[request.service].rollout
    return rollout.old_version if rollout else None


def _require_permission(environment: str, request: RollbackRequest, takeover: Takeover) -> None:
    if takeover.permission is Permission.LEAVE_IT:
        raise FencedError(
            f"{request.service} in {environment} is being brought back already",
            expected="its deployer, or nobody, to hold the environment",
            found=takeover.reason,
            next_step="nothing; whoever has it brings it to one colour (see `switchover history`)",
        )
    if takeover.permission is Permission.BUSY:
        raise BusyError(
            f"{request.service} in {environment} cannot be rolled back at this moment",
            expected="no other rollback to the same release, and no other service's rollout, under way",
            found=takeover.reason,
            next_step="wait for it (`switchover status --watch`), or roll that other service back first",
        )


def _plan_for(
    ports: EnvironmentPorts, record: EnvironmentRecord, service_name: str, version: str | None, only: str | None
) -> RollbackPlan:
    service = record.services.get(service_name, ServiceRecord())
    if only is None:
        return plan_rollback(service_name, service, ports.ledger.read_history(service_name, _WHOLE_HISTORY), version)
    if service.rollout is not None and service.rollout.id != only:
        service = replace(service, rollout=None)
    return plan_recovery(service_name, service)


def _require_word_for_contraction(ports: EnvironmentPorts, request: RollbackRequest) -> None:
    """Before a committed rollout is finished for a rollback: its own contraction may have begun already."""
    rollout = ports.ledger.read().services[request.service].rollout
    if rollout is None or not (rollout.contracting and rollout.workload.migrations.irreversible):
        return
    if not request.accept_irreversible:
        raise _irreversible(request.service, rollout.old_version or "what was live", rollout.release.version)


def _require_word(request: RollbackRequest, plan: RollbackPlan) -> None:
    if plan.irreversible and not request.accept_irreversible:
        raise _irreversible(plan.service, str(plan.serve_version), ", ".join(plan.irreversible))


def _irreversible(service: str, target: str, migrated: str) -> InputError:
    return InputError(
        f"{service} cannot simply go back to {target}",
        expected="only migrations that can be taken back in between",
        found=f"what {migrated} migrated is declared irreversible",
        next_step=f"make sure that {target} can live with it, then say so (--accept-irreversible)",
    )


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
        migrations=plan.migrations,
    )
