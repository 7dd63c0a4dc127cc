"""Give a flag to more and more users, watched by the judge of deployments, and go back when it is bad."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.flag_hooks import take_flag_back
from flows.names import name_flag_rollout
from switchover.config import FILE_NAME
from switchover.flags.rollout_trail import FlagRollout
from tasks.flag_place import FlagPlace
from tasks.flag_steps import end_rollout, open_sight, plan_steps, raise_share, watch_share
from tasks.place import Place


@flow(
    name="gradual-rollout",
    flow_run_name=name_flag_rollout,
    on_failure=[take_flag_back],
    on_cancellation=[take_flag_back],
    on_crashed=[take_flag_back],
    persist_result=False,
)
def gradual_rollout(
    flag: str,
    service: str,
    environment: str,
    who: str,
    why: str,
    steps: tuple[float, ...] = (10, 25, 50, 100),
    hold_seconds: float = 300,
    variant: str | None = None,
    config: str = FILE_NAME,
) -> FlagRollout:
    """Raise a flag's percentage in steps, and put it back to where it was when anything goes wrong.

    Args:
        flag: The flag's key.
        service: The service whose users get it, as in switchover.toml: its signals are judged.
        environment: Where the service is live, and whose flags.
        who: The person who wants it, for the audit trail.
        why: The reason, for the audit trail.
        steps: Percentages that rise; those that are reached already are left out.
        hold_seconds: How long each step is watched; 0 is not to watch.
        variant: The variant that is given to more and more; the only one that is true, if absent.
        config: Path of switchover.toml where the flow runs.
    """
    place, flags = Place(config, environment), FlagPlace(config, environment)
    rollout, left = plan_steps(flags, flag, steps, variant, str(flow_run.id), who, why)
    sight = open_sight(place, flags, service, rollout)
    for percent in left:
        raise_share(flags, rollout, percent)
        sight = watch_share(place, flags, rollout, sight, percent, hold_seconds)
    end_rollout(flags, rollout)
    return rollout
