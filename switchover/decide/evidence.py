"""The mathematics of the judge: evidence that may be looked at any number of times.

All evidence is a *wealth*: a non-negative process whose expectation never rises above 1 while the canary is
good, so that by Ville's inequality it ever reaches 1/alpha with a probability of at most alpha, at whatever
looks one takes (Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", arXiv 2011.03567).
Wealth is kept as logarithms, one per *lift*, so that nothing under- or overflows. `docs/judge.md` derives the
formulas; no randomness, no clock, no library beyond `math`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

# How many times the odds that an event belongs to the canary may be raised: the alternatives that are bet on.
# The weights are log-normal around a tenfold raise, the size of what releases break: measured faster from 5 to
# 200 times live's rate than the Beta prior of the paper.
LIFTS = tuple(1.5 * (256 / 1.5) ** (step / 15) for step in range(16))
_LOG_LIFTS = tuple(math.log(lift) for lift in LIFTS)
_BELLS = tuple(math.exp(-0.5 * (log_lift - math.log(10.0)) ** 2) for log_lift in _LOG_LIFTS)
LOG_PRIOR = tuple(math.log(bell / math.fsum(_BELLS)) for bell in _BELLS)

# The alternatives of the upper bound: how many times the odds may be lower than those of the bound.
DROPS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)

# An objective is tested over many requests of which hardly any is bad, and every good one costs wealth. A tenth
# of the wealth is therefore held back and bet little by little, so that a release that breaks late is found too.
RESERVE = 0.1
RESERVE_SECONDS = 60.0

# A share observed on fewer requests says little: looks are pooled until there are as many (both colours).
POOL_REQUESTS = 20

# Two looks that are closer together than this are one moment to the guard against bursts.
MOMENT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one colour, and how many of them were bad by one metric (failed, or slow)."""

    requests: int = 0
    bad: int = 0

    def __add__(self, more: Counts) -> Counts:
        """Both intervals together."""
        return Counts(self.requests + more.requests, self.bad + more.bad)

    @property
    def rate(self) -> float:
        """The fraction that was bad; 0 of no requests."""
        return self.bad / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class MetricEvidence:
    """What is known about one metric; the default is the start.

    `comparison` and `objective` hold the logarithm of the wealth per lift; `canary` and `live` are totals;
    `pooled_*` are counts that wait for a share; `bad_moments` is how many distinct moments had a bad answer of
    the canary, `bad_at` the last of them; `elapsed` is the time of the last look in seconds since the first.
    """

    comparison: tuple[float, ...] = LOG_PRIOR
    objective: tuple[float, ...] = tuple(math.log1p(-RESERVE) + log for log in LOG_PRIOR)
    canary: Counts = Counts()
    live: Counts = Counts()
    pooled_canary: Counts = Counts()
    pooled_live: Counts = Counts()
    bad_moments: int = 0
    bad_at: float = -math.inf
    elapsed: float = 0.0


def log_sum(logs: tuple[float, ...]) -> float:
    """The logarithm of the sum of exponentials."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))


def null_share(canary_requests: int, live_requests: int, margin: float) -> float:
    """The largest share of the bad answers that a canary within the margin is expected to give."""
    weighted = canary_requests * (1.0 + margin)
    return weighted / (weighted + live_requests)


def bet(wealth: tuple[float, ...], bad: int, total: int, share: float) -> tuple[float, ...]:
    """Multiply the wealth of each lift by its likelihood ratio: `bad` of `total`, where `share` is the null.

    The ratio of Binomial(total, share') to Binomial(total, share), where the odds of share' are those of
    `share` times the lift, is lift^bad / (1 + share (lift - 1))^total.
    """
    return tuple(
        log + bad * log_lift - total * math.log1p(share * (lift - 1.0))
        for log, log_lift, lift in zip(wealth, _LOG_LIFTS, LIFTS, strict=True)
    )


def reserve_at(elapsed: float) -> float:
    """The part of an objective's first wealth that is still held back after `elapsed` seconds."""
    return RESERVE * RESERVE_SECONDS / (RESERVE_SECONDS + elapsed)


def log_comparison(metric: MetricEvidence) -> float:
    """The logarithm of the evidence that the canary is worse than live, beyond the margin."""
    return log_sum(metric.comparison)


def log_objective(metric: MetricEvidence) -> float:
    """The logarithm of the evidence that the canary's rate is over the objective."""
    return log_sum((*metric.objective, math.log(reserve_at(metric.elapsed))))


def compare(metric: MetricEvidence, canary: Counts, live: Counts, margin: float) -> MetricEvidence:
    """Add a look to the comparison, or to the pool when its share is not known well enough yet."""
    canary, live = metric.pooled_canary + canary, metric.pooled_live + live
    if min(canary.requests, live.requests) == 0 or canary.requests + live.requests < POOL_REQUESTS:
        return replace(metric, pooled_canary=canary, pooled_live=live)
    share = null_share(canary.requests, live.requests, margin)
    wealth = bet(metric.comparison, canary.bad, canary.bad + live.bad, share)
    return replace(metric, comparison=wealth, pooled_canary=Counts(), pooled_live=Counts())


def hold_to_objective(metric: MetricEvidence, elapsed: float, canary: Counts, limit: float) -> MetricEvidence:
    """Add a look to the test of `rate <= limit`; `elapsed` seconds after the first look."""
    elapsed = max(elapsed, metric.elapsed)
    released = reserve_at(metric.elapsed) - reserve_at(elapsed)
    wealth = metric.objective
    if released > 0.0:
        fresh = math.log(released)
        wealth = tuple(log_sum((log, fresh + prior)) for log, prior in zip(wealth, LOG_PRIOR, strict=True))
    return replace(metric, objective=bet(wealth, canary.bad, canary.requests, limit), elapsed=elapsed)


def count(metric: MetricEvidence, elapsed: float, canary: Counts, live: Counts) -> MetricEvidence:
    """Add a look to the totals, and to the distinct moments that had a bad answer of the canary."""
    metric = replace(metric, canary=metric.canary + canary, live=metric.live + live)
    if canary.bad == 0 or abs(elapsed - metric.bad_at) < MOMENT_SECONDS:
        return metric
    return replace(metric, bad_moments=metric.bad_moments + 1, bad_at=elapsed)


def upper_bound(counts: Counts, alpha: float) -> float:
    """A bound that the true rate exceeds at any look ever with a probability of at most `alpha`."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2.0
        if _log_evidence_below(counts, middle) >= -math.log(alpha):
            high = middle
        else:
            low = middle
    return high


def _log_evidence_below(counts: Counts, rate: float) -> float:
    """The logarithm of the evidence against `true rate >= rate`; it rises with `rate`."""
    return log_sum(
        tuple(
            counts.bad * math.log(drop) - counts.requests * math.log1p(rate * (drop - 1.0)) - math.log(len(DROPS))
            for drop in DROPS
        )
    )
