"""Switch one flag, and wait for the proof that every process has it."""

from __future__ import annotations

from typing import Literal

from prefect import flow

from flows.names import name_toggle
from switchover.config import FILE_NAME
from switchover.flags.toggling import FlagState
from tasks.flag_change import change, prove
from tasks.flag_place import FlagPlace


@flow(name="toggle-flag", flow_run_name=name_toggle, persist_result=False)
def toggle_flag(
    flag: str,
    environment: str,
    who: str,
    why: str,
    state: Literal["enable", "disable", "kill", "revive", "serve"] = "enable",
    variant: str | None = None,
    wait_seconds: float = 0,
    config: str = FILE_NAME,
) -> int:
    """Change one flag as the command line does, and return the version of the set that has the change.

    Args:
        flag: The flag's key.
        environment: Whose flags.
        who: The person who wants it, for the audit trail.
        why: The reason, for the audit trail.
        state: Enable, disable, kill (everybody gets the off variant at once), revive, or serve a variant by default.
        variant: The variant to serve, or to kill with instead of the off variant.
        wait_seconds: So long every live process has to confirm the change; 0 is not to wait.
        config: Path of switchover.toml where the flow runs.
    """
    flags = FlagPlace(config, environment)
    version = change(flags, flag, FlagState(state), variant, who, why)
    if wait_seconds > 0:
        prove(flags, version, wait_seconds)
    return version
