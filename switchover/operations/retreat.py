"""The one urgent thing: all traffic to where the ledger says it belongs."""

from __future__ import annotations

from switchover.decide.record import apply_event
from switchover.decide.rollback import RollbackPlan, plan_recovery
from switchover.decide.rollout import Event
from switchover.model import EnvironmentRecord, Reason, Route
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend
from switchover.operations.route import give_back


def retreat(
    ports: EnvironmentPorts, claim: Claim, service: str, event: Event, reasons: tuple[Reason, ...]
) -> RollbackPlan:
    """Record the bad news, then put the whole traffic on the colour that the plan serves from.

    Before the commit point that is the old colour, after it the new one (`decide.rollback.plan_recovery`).
    """

    def change(record: EnvironmentRecord) -> EnvironmentRecord:
        return apply_event(record, service, event, now=ports.clock.now(), reasons=reasons)

    plan = plan_recovery(service, amend(ports, claim, change).services[service])
    if plan.serve is not None:
        give_back(ports, claim, service, Route.giving(plan.serve, 100))
    return plan
