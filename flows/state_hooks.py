"""What a deployment's end starts when it is not a good one.

The traffic goes back first, by the plain function that the command line uses too: no subflow and no API call
stands in front of it. The `rollback` flow then does the rest and keeps the record; where the Prefect API does
not answer, the same plain functions do the rest as well.
"""

from __future__ import annotations

import re
from typing import Any

from prefect.logging.loggers import flow_run_logger

from flows.rollback import rollback
from switchover.config import FILE_NAME
from switchover.decide.rollout import Event
from switchover.errors import SwitchoverError
from switchover.operations.recovery import end_run, find_run, take_back_run
from tasks.place import Place

# What Prefect and Python put in front of our own words.
_PREFIX = re.compile(r"^(Flow run encountered an exception: )?(\w+Error: )?")
_EVENTS = {"CANCELLED": Event.CANCELLED, "CANCELLING": Event.CANCELLED, "CRASHED": Event.FAILED}


def take_back(flow: Any, flow_run: Any, state: Any) -> None:
    """End the rollout that this run began, if it began one."""
    # A run made through the API carries only the parameters that were given: defaults must not be assumed,
    # except for the file name, which has the same default everywhere.
    given = flow_run.parameters
    place = Place(given.get("config", FILE_NAME), given["environment"])
    reason = f"the deployment ended as {state.name.lower()}: {_sum_up(state.message)}"
    event = _EVENTS.get(state.type.value, Event.FAILED)
    log = flow_run_logger(flow_run, flow)
    ports = place.connect_at_once()
    rollout = find_run(ports.ledger.read(), str(flow_run.id))
    if rollout is None:
        return
    try:
        if take_back_run(ports, str(flow_run.id), event, reason) is None:
            return  # somebody else is at it
        log.warning("traffic of %s is back on %s", rollout.service, rollout.old_version or "nothing")
    except SwitchoverError:
        log.exception("the traffic is not back yet; the rollback flow tries again")
    try:
        rollback(
            service=rollout.service,
            environment=place.environment,
            reason=reason,
            failed_run=str(flow_run.id),
            config=place.config,
        )
    except Exception:
        log.exception("the rollback flow could not run; finishing without Prefect")
        end_run(ports, str(flow_run.id), reason, event)


def _sum_up(message: str | None) -> str:
    """The first line, and what was found where the message is that of an error of ours."""
    lines = (message or "").strip().splitlines() or ["no message"]
    found = next((line.partition("found:")[2].strip() for line in lines if line.strip().startswith("found:")), "")
    return _PREFIX.sub("", lines[0]) + (f": {found}" if found else "")
