"""Changing one flag, and waiting for the proof that every process has it."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.errors import TargetError
from switchover.flags.snapshot import Note
from switchover.flags.toggling import FlagState, toggling
from switchover.operations.flag_changes import change_flag
from switchover.operations.flag_proof import wait_for_acknowledgements
from tasks.flag_place import FlagPlace
from tasks.repeating import worth_repeating


@task(
    name="change-flag",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def change(flags: FlagPlace, flag: str, state: FlagState, variant: str | None, who: str, why: str) -> int:
    """Make the flag so; return the version of the set that has it. Repeating it changes nothing."""
    made = change_flag(flags.open(), flag, toggling(flag, state, variant), Note(who, why, state.value))
    get_run_logger().info("%s is %s at version %s", flag, state.value, made.version)
    return made.version


@task(
    name="prove-flag",
    retries=0,
    timeout_seconds=3600,
    cache_policy=NO_CACHE,
)
def prove(flags: FlagPlace, version: int, wait_seconds: float) -> int:
    """Wait until every live process has it; return how many those are. Raises `TargetError` that names the others."""
    proof = wait_for_acknowledgements(flags.open(), version, wait_seconds)
    if not proof.complete:
        missing = ", ".join(f"{each.host}:{each.pid}" for each in proof.missing)
        raise TargetError(
            f"version {version} of the flags is not proven",
            expected=f"every live process to confirm it within {wait_seconds:g} s",
            found=f"no word from {missing}" if missing else proof.why,
            next_step="the change itself is made; look at these processes",
        )
    return len(proof.acknowledged)
