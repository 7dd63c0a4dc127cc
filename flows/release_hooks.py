"""What the end of a release starts when it is not a good one: people are told where it stopped, and why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.logging.loggers import flow_run_logger
from prefect.utilities.urls import url_for

from blocks.server_call import single_try
from switchover.adapters.release_tools import read_release_scope
from switchover.config import FILE_NAME
from switchover.decide.release_message import write_failure
from switchover.errors import SwitchoverError
from tasks.notify import tell

# The server hears of a task's end a moment after the task's own process does.
_LOOKS = 5
_BETWEEN_SECONDS = 0.5
_BAD = [StateType.FAILED, StateType.CRASHED]


def tell_of_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Tell those whom `release.notify` names; of a dry run nobody is told.

    Never raises: what stopped the release is what people should see.
    """
    log = flow_run_logger(flow_run, flow)
    # A run made through the API carries only the parameters that were given.
    given = flow_run.parameters
    if given.get("dry_run", False):
        return
    try:
        scope = read_release_scope(Path(given.get("config", FILE_NAME)))
        if scope.config.notify:
            stages = _read_stopped(flow_run.id, crashed=state.is_crashed())
            address = url_for("flow-run", obj_id=flow_run.id) or ""
            tell(scope, write_failure(scope.project, stages, state.message or "", address), log)
    except SwitchoverError as error:
        # A configuration that cannot be read names nobody to tell.
        log.warning("nobody was told that the release stopped: %s", error.problem.failed)
    except Exception as error:  # noqa: BLE001 a defect here must not stand in front of what stopped the release
        log.warning("nobody was told that the release stopped: %s", type(error).__name__)


def _read_stopped(flow_run_id: Any, *, crashed: bool) -> list[str]:
    """The names of the task runs that failed, of a crashed run also those it died in; none where nobody knows."""
    looked_for = TaskRunFilterStateType(any_=[*_BAD, StateType.RUNNING] if crashed else _BAD)
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_SECONDS)
        try:
            with single_try(), get_client(sync_client=True) as client:
                found = client.read_task_runs(
                    flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
                    task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=looked_for)),
                )
        except Exception:  # noqa: BLE001 S112 the message goes out without them
            continue
        if found:
            return sorted({run.name for run in found})
    return []
