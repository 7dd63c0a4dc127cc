"""Put a flag back that a rollout has left behind: started by an automation or a person; one result however often."""

from __future__ import annotations

from prefect import flow

from flows.names import name_flag_return
from switchover.config import FILE_NAME
from tasks.flag_place import FlagPlace
from tasks.flag_steps import take_share_back


@flow(name="take-flag-back", flow_run_name=name_flag_return, persist_result=False)
def take_flag_back(
    environment: str,
    failed_run: str,
    flag: str | None = None,
    reason: str = "asked for by a person",
    config: str = FILE_NAME,
) -> int | None:
    """Put the flag that a run of gradual-rollout has raised back to where that run began.

    Returns the version of the set that has it so. Nothing happens, and the answer is None, when that rollout ended well
    or was taken back already, or when somebody else has changed the flag since.

    Args:
        environment: Whose flags.
        failed_run: The id of the flow run that raised the flag; the audit trail says which flag, and what it was.
        flag: Only this flag; nothing happens when the run has raised another one.
        reason: Kept in the audit trail.
        config: Path of switchover.toml where the flow runs.
    """
    return take_share_back(FlagPlace(config, environment), failed_run, flag, reason)
