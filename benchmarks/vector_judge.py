"""The judge's count rules over many simulated rollouts at once; a test holds them to `judge_health`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from switchover.decide.evidence import (
    LIFTS,
    LOG_PRIOR,
    MOMENT_SECONDS,
    POOL_REQUESTS,
    RESERVE,
    reserve_at,
)
from switchover.decide.health import ALPHA_SHARES, MIN_BAD_MOMENTS
from switchover.model import JudgeSettings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LIFTS = np.array(LIFTS)
_LOG_LIFTS = np.log(_LIFTS)
_LOG_PRIOR = np.array(LOG_PRIOR)
NEVER = -1


@dataclass(frozen=True, slots=True)
class Looks:
    """Counts per rollout (rows) and look (columns), and the seconds between two looks."""

    seconds: float
    canary: Ints
    live: Ints
    canary_errors: Ints
    live_errors: Ints
    canary_slow: Ints
    live_slow: Ints


def find_alarms(
    looks: Looks,
    settings: JudgeSettings,
    alpha_shares: dict[tuple[str, str], float] = ALPHA_SHARES,
    min_bad_moments: int = MIN_BAD_MOMENTS,
) -> dict[tuple[str, str], Ints]:
    """The look (from 0) at which each count rule speaks first, per rollout; `NEVER` where it does not.

    Without a warm-up and with looks that are distinct moments; anything else is refused.
    """
    if settings.warm_up_seconds or looks.seconds < MOMENT_SECONDS:
        msg = "the simulation has no warm-up, and looks that are distinct moments"
        raise ValueError(msg)
    metrics = {
        "errors": (looks.canary_errors, looks.live_errors, settings.max_error_rate),
        "slow": (looks.canary_slow, looks.live_slow, settings.max_slow_rate),
    }
    alarms = {}
    for name, (canary_bad, live_bad, limit) in metrics.items():
        allowed = np.cumsum(canary_bad > 0, axis=1) >= min_bad_moments
        for test, wealth in (
            ("comparison", _compare(looks, canary_bad, live_bad, settings.margin)),
            ("objective", _hold_to_objective(looks, canary_bad, limit)),
        ):
            spoken = allowed & (wealth >= -math.log(settings.alpha * alpha_shares[name, test]))
            alarms[name, test] = np.where(spoken.any(axis=1), spoken.argmax(axis=1), NEVER)
    return alarms


def find_first(alarms: dict[tuple[str, str], Ints]) -> Ints:
    """The look at which any rule speaks first, per rollout; `NEVER` where none does."""
    latest = np.iinfo(np.int64).max
    first = np.min([np.where(alarm == NEVER, latest, alarm) for alarm in alarms.values()], axis=0)
    return np.where(first == latest, NEVER, first)


def _log_sum(logs: Floats) -> Floats:
    top: Floats = logs.max(axis=1)
    total: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return total


def _compare(looks: Looks, canary_bad: Ints, live_bad: Ints, margin: float) -> Floats:
    """The logarithm of the comparison's wealth after each look."""
    rows, columns = looks.canary.shape
    history = np.zeros((rows, columns))
    wealth = np.tile(_LOG_PRIOR, (rows, 1))
    pool = np.zeros((4, rows), dtype=np.int64)
    current = np.zeros(rows)
    for look in range(columns):
        pool += np.stack([looks.canary[:, look], looks.live[:, look], canary_bad[:, look], live_bad[:, look]])
        canary, live, bad, live_bad_now = pool
        known = (np.minimum(canary, live) > 0) & (canary + live >= POOL_REQUESTS)
        telling = np.flatnonzero(known & (bad + live_bad_now > 0))
        if telling.size:
            weighted = canary[telling] * (1.0 + margin)
            share = weighted / (weighted + live[telling])
            total = bad[telling] + live_bad_now[telling]
            growth = np.log1p(share[:, None] * (_LIFTS - 1.0))
            wealth[telling] += bad[telling, None] * _LOG_LIFTS - total[:, None] * growth
            current[telling] = _log_sum(wealth[telling])
        pool[:, known] = 0
        history[:, look] = current
    return history


def _hold_to_objective(looks: Looks, canary_bad: Ints, limit: float) -> Floats:
    """The logarithm of the objective's wealth after each look with a bad answer; it cannot rise at others."""
    rows, columns = looks.canary.shape
    history = np.full((rows, columns), -np.inf)
    wealth = np.tile(_LOG_PRIOR + math.log1p(-RESERVE), (rows, 1))
    cost = np.log1p(limit * (_LIFTS - 1.0))
    for look in range(columns):
        elapsed = look * looks.seconds
        released = reserve_at(max(0.0, elapsed - looks.seconds)) - reserve_at(elapsed)
        if released > 0.0:
            np.logaddexp(wealth, _LOG_PRIOR + math.log(released), out=wealth)
        wealth -= looks.canary[:, look, None] * cost
        bad = np.flatnonzero(canary_bad[:, look])
        if bad.size:
            wealth[bad] += canary_bad[bad, look, None] * _LOG_LIFTS
            history[bad, look] = np.logaddexp(_log_sum(wealth[bad]), math.log(reserve_at(elapsed)))
    return history
