"""What the bad end of a flag's rollout does: the flag goes back to where it began, by a plain function."""

from __future__ import annotations

from typing import Any

from prefect.logging.loggers import flow_run_logger

from switchover.config import FILE_NAME
from switchover.errors import SwitchoverError
from switchover.operations import flag_rollout
from tasks.flag_place import FlagPlace


def take_flag_back(flow: Any, flow_run: Any, state: Any) -> None:
    """Put the flag back to where this run began, if it changed anything and nobody has taken it over."""
    given = flow_run.parameters
    flags = FlagPlace(given.get("config", FILE_NAME), given["environment"])
    log = flow_run_logger(flow_run, flow)
    why = f"the rollout ended as {state.name.lower()}"
    try:
        change = flag_rollout.take_flag_back(flags.open(), given["flag"], str(flow_run.id), who="switchover", why=why)
    except SwitchoverError:
        log.exception("%s is not back yet: `switchover flags history` has what it was before", given["flag"])
        return
    if change is not None:
        log.warning("%s is back at what it was, version %s", given["flag"], change.version)
