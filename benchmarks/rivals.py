"""What others decide from the same traffic: Flagger's threshold and Kayenta's NetflixACAJudge, as their code says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

NEVER = -1


def find_flagger_rollbacks(requests: Ints, errors: Ints, threshold: int, objective: float = 0.99) -> Ints:
    """The minute (from 1) in which Flagger rolls back, per row; `NEVER` where it does not.

    Columns are minutes. The success rate of the last minute is checked once a minute; failed checks are
    cumulative, and the rollback comes with the check after the last failure (pkg/controller/scheduler.go).
    """
    failed = errors > (1.0 - objective) * requests + 1e-9
    over = np.cumsum(failed, axis=1) >= threshold
    return np.where(over.any(axis=1), over.argmax(axis=1) + 2, NEVER)


def is_high_for_kayenta(canary: Floats, live: Floats, *, tolerance: float = 0.25, confidence: float = 0.98) -> bool:
    """Whether Kayenta's MannWhitneyClassifier labels the points of `canary` High, with its defaults.

    High is a confidence interval of the Hodges-Lehmann shift whose lower end is over `tolerance` times the
    shift (MannWhitneyClassifier.scala, MannWhitney.scala: normal approximation, ties and continuity corrected).
    """
    if np.array_equal(np.sort(canary), np.sort(live)) or np.unique(np.concatenate([canary, live])).size == 1:
        return False
    lower = _find_shift(canary, live, float(norm.ppf(1.0 - (1.0 - confidence) / 2.0)))
    return bool(lower > tolerance * abs(_find_shift(canary, live, 0.0)))


def _find_shift(canary: Floats, live: Floats, quantile: float) -> float:
    """The shift at which the standardised rank sum has this quantile."""
    lowest, highest = float(canary.min() - live.max()), float(canary.max() - live.min())
    if _standardise(canary, live, lowest) - quantile <= 0.0:
        return lowest
    if _standardise(canary, live, highest) - quantile >= 0.0:
        return highest
    return float(brentq(lambda shift: _standardise(canary, live, shift) - quantile, lowest, highest, xtol=1e-4))


def _standardise(canary: Floats, live: Floats, shift: float) -> float:
    x, y = len(canary), len(live)
    ranks = rankdata(np.concatenate([canary - shift, live]))
    ties = np.unique(ranks, return_counts=True)[1].astype(np.float64)
    excess = float(ranks[:x].sum()) - x * (x + 1) / 2.0 - x * y / 2.0
    spread = x * y / 12.0 * ((x + y + 1) - float((ties**3 - ties).sum()) / ((x + y) * (x + y - 1)))
    if spread == 0.0:
        msg = "all observations are tied"
        raise ValueError(msg)
    return (excess - 0.5 * float(np.sign(excess))) / math.sqrt(spread)
