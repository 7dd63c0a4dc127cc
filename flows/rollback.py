"""Bring a service back: started by a hook, an automation, a person or a schedule; one result however often."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.names import name_rollback
from switchover.config import FILE_NAME
from switchover.decide.rollback import RollbackPlan, Way
from switchover.model import HistoryEntry
from switchover.operations.rollback import RollbackRequest
from tasks.place import Place
from tasks.report import show_outcome, show_plan
from tasks.restore import bring_back, plan_return


@flow(name="rollback", flow_run_name=name_rollback, persist_result=False)
def rollback(
    service: str,
    environment: str,
    version: str | None = None,
    reason: str = "asked for by a person",
    failed_run: str | None = None,
    accept_irreversible: bool = False,
    config: str = FILE_NAME,
) -> HistoryEntry | RollbackPlan:
    """Bring a service back to an earlier version, or end the rollout that a failed run left behind.

    Args:
        service: The service, as in switchover.toml.
        environment: Where it is brought back.
        version: Empty for what was live before.
        reason: Kept in the history.
        failed_run: Only end the rollout that this flow run began; nothing happens when it has none.
        accept_irreversible: Go back even behind a migration that cannot be taken back.
        config: Path of switchover.toml where the flow runs.
    """
    place = Place(config, environment)
    plan = plan_return(place, service, version, failed_run)
    show_plan(plan)
    if plan.way is Way.NOTHING:
        return plan
    holder = f"rollback of {service} (run {str(flow_run.id)[:8]})"
    run_id = str(flow_run.id)
    request = RollbackRequest(
        service, version, holder, reason, rollout_id=run_id, accept_irreversible=accept_irreversible
    )
    entry = bring_back(place, request, plan, failed_run)
    if entry is None:
        return plan
    show_outcome(environment, entry)
    return entry
