"""What has come of a set's experiments, and how often its flags were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from switchover.errors import InputError
from switchover.flags.additions import EXPERIMENT
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.experiments import judge_experiment
from switchover.flags.ports import FlagStore
from switchover.flags.records import DailyCount, ExperimentData, ExperimentKeeper
from switchover.flags.redis_store import RedisStore
from switchover.flags.results import Results
from switchover.flags.snapshot import Json
from switchover.flags.split_trail import find_split_start
from switchover.flags.splits import find_split

_REDIS = ("redis:", "rediss:", "unix:", "redis+", "rediss+")


def read_results(place: str, flag: str, event: str, alpha: float = 0.05, control: str | None = None) -> Results:
    """Judge the experiment `flag` by `event`, against the weights that the flag has now.

    Units that were enrolled before it got these weights are left out: they had other chances.

    Raises `InputError` for a place that keeps no records, an unknown flag or control, a flag that is no experiment,
    an alpha outside (0, 1); `TargetError` when the place is silent.
    """
    _require_redis(place, "the experiment cannot be judged")
    return judge_flag(RedisStore(place), RedisRecords(place), flag, event, alpha=alpha, control=control)


def judge_flag(
    store: FlagStore, keeper: ExperimentKeeper, flag: str, event: str, *, alpha: float, control: str | None = None
) -> Results:
    """`read_results`, of a store and a keeper."""
    definition = store.read().flag(flag)
    data = keeper.read_experiment(flag, event, find_split_start(store.history(), flag))
    if not data.variants and not data.older:
        _require_experiment(flag, definition, data)
    split = find_split(definition)
    weights = None if split is None else split.weights
    if control is None and weights is not None and isinstance(definition, dict):
        usual = definition.get("defaultVariant")
        control = usual if isinstance(usual, str) and weights.get(usual) else None
    return judge_experiment(data, alpha=alpha, control=control, weights=weights)


def evaluation_counts(place: str) -> Mapping[str, Sequence[DailyCount]]:
    """How often each answer of each flag was given by day, oldest first, as far back as it is kept (100 days).

    A flag that is missing was not asked by any process that records. Raises `InputError` for a place that keeps no
    counts (which is not the same as none), `TargetError` when it is silent.
    """
    _require_redis(place, "the evaluations cannot be counted")
    return RedisRecords(place).read_counts()


def _require_redis(place: str, failed: str) -> None:
    if not place.startswith(_REDIS):
        raise InputError(
            failed,
            expected="a flag set in Redis, where the applications leave their counts",
            found=f"a place of another kind ({place.partition(':')[0] if ':' in place else 'a file'})",
            next_step="name the set in Redis: redis://host:port/0?set=NAME",
        )


def _require_experiment(flag: str, definition: Json, data: ExperimentData) -> None:
    metadata = definition.get("metadata") if isinstance(definition, dict) else None
    is_experiment = isinstance(metadata, dict) and metadata.get(EXPERIMENT) is True
    if not is_experiment and not data.reassigned:
        raise InputError(
            f"the experiment {flag} cannot be judged",
            expected=f'a flag of the set with "{EXPERIMENT}": true in its metadata, or units that took part',
            found="no flag of that name" if definition is None else "a flag that is no experiment",
            next_step="see `switchover flags list` for the flags, and mark the flag as an experiment",
        )
