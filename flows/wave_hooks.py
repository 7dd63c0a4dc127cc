"""What the end of `deploy-waves` starts when it is not a good one.

Its deployments are subflows: they live in its process and have no runner of their own, so their hooks die with it.
Only the Prefect server knows which they are; where that is gone too, the lease of the environment runs out.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from flows.state_hooks import take_back


def take_back_wave(flow: Any, flow_run: Any, state: Any) -> None:
    """End the rollout that a deployment of this run began and cannot end any more."""
    for deployment in _read_unfinished(flow_run.id):
        take_back(flow, deployment, state)


def _read_unfinished(parent: UUID) -> tuple[FlowRun, ...]:
    """The subflow runs that did not end well, newest first: no more than one of them can be at work."""
    of_parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=of_parent, sort=FlowRunSort.START_TIME_DESC)
    return tuple(run for run in found if run.state is None or not run.state.is_completed())
