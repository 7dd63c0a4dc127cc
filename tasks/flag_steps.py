"""Raising a flag in steps, and watching what that does."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.decide.report import Look
from switchover.flags.records import ExperimentKeeper
from switchover.flags.rollout_trail import FlagRollout, is_experiment
from switchover.model import Observation, Verdict
from switchover.operations.flag_rollout import FlagSight, open_flag_sight, plan_flag_rollout, raise_flag, watch_flag
from switchover.operations.flag_rollout_end import end_flag_rollout, take_run_back
from tasks.flag_place import FlagPlace
from tasks.place import Place
from tasks.repeating import worth_repeating
from tasks.report import show_timeline


@task(
    name="plan-flag-rollout",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def plan_steps(
    flags: FlagPlace, flag: str, steps: tuple[float, ...], variant: str | None, run: str, who: str, why: str
) -> tuple[FlagRollout, tuple[float, ...]]:
    """Which steps are to be made, and where the flag goes back to."""
    rollout, left = plan_flag_rollout(flags.open(), flag, steps, variant=variant, run=run, who=who, why=why)
    get_run_logger().info("%s from %g %% in steps to %s", flag, rollout.begin_percent, left)
    return rollout, left


@task(
    name="open-flag-watch",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def open_sight(place: Place, flags: FlagPlace, service: str, rollout: FlagRollout) -> FlagSight:
    """Read the counters before the first step: everything after is evidence."""
    return open_flag_sight(place.connect(), service, rollout, _open_errors(flags, rollout))


@task(
    name="raise-flag",
    task_run_name="raise to {percent} %",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def raise_share(flags: FlagPlace, rollout: FlagRollout, percent: float) -> None:
    """Give the flag to so many."""
    raise_flag(flags.open(), rollout, percent)


@task(
    name="watch-flag",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=8 * 24 * 3600,  # as long as the watch of a deployment may take
    cache_policy=NO_CACHE,
)
def watch_share(
    place: Place, flags: FlagPlace, rollout: FlagRollout, sight: FlagSight, percent: float, hold_seconds: float
) -> FlagSight:
    """Judge real traffic about once a second for the holding time, and on until it is healthy."""
    logger = get_run_logger()
    looks: list[Look] = []

    def report(observation: Observation, verdict: Verdict) -> None:
        looks.append(Look(round(percent), observation, verdict))
        logger.info("%s at %g %%: %s", rollout.flag, percent, verdict)

    try:
        return watch_flag(
            place.connect(),
            flags.open(),
            rollout,
            sight,
            hold_seconds=hold_seconds,
            settings=place.load().judge_settings(place.environment),
            report=report,
            keeper=_open_errors(flags, rollout),
        )
    finally:
        show_timeline(f"flag {rollout.flag}", place.environment, looks)


@task(
    name="end-flag-rollout",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def end_rollout(flags: FlagPlace, rollout: FlagRollout) -> None:
    """Say in the audit trail that the flag stays."""
    end_flag_rollout(flags.open(), rollout)


@task(
    name="take-flag-back",
    retries=5,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def take_share_back(flags: FlagPlace, failed_run: str, flag: str | None, reason: str) -> int | None:
    """Put the flag that a run has raised back to where it began; return the version, None: nothing was to be done."""
    change = take_run_back(flags.open(), failed_run, flag=flag, who="switchover", why=reason)
    if change is None:
        get_run_logger().info("nothing to take back: run %s has raised no flag, or has no flag any more", failed_run)
        return None
    get_run_logger().warning("the flag is back at what it was, version %s", change.version)
    return change.version


def _open_errors(flags: FlagPlace, rollout: FlagRollout) -> ExperimentKeeper | None:
    """Where the errors of each variant are counted, when the flag is an experiment."""
    return flags.open_records() if is_experiment(flags.open().read(), rollout.flag) else None
