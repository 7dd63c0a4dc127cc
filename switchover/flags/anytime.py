"""Intervals and evidence that may be looked at any number of times, for shares, splits and means.

All evidence is a wealth, as in `switchover.decide.evidence`: under the hypothesis its expectation never rises above
1, so by Ville's inequality it ever reaches 1/alpha with a probability of at most alpha. Here the bets are mixed by
a Beta or Dirichlet prior, for which the mixture has a closed form; an interval holds the hypotheses that are not
refuted. Sources: Robbins (1970), "Statistical methods related to the law of the iterated logarithm"; Lindon & Malek
(2022), "Anytime-Valid Inference for Multinomial Count Data"; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021),
"Time-uniform central limit theory and asymptotic confidence sequences".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Halvings of an interval in [0, 1]: to 1e-15.
_HALVINGS = 50

# The number of units at which an interval of a mean is tightest; it is valid at any.
TIGHTEST_UNITS = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def log_beta(alphas: Sequence[float]) -> float:
    """The logarithm of the multivariate Beta function."""
    return math.fsum(map(math.lgamma, alphas)) - math.lgamma(math.fsum(alphas))


def log_split_evidence(counts: Sequence[int], shares: Sequence[float], strength: float) -> float:
    """The logarithm of the wealth against "each arrival goes to i with probability shares[i]" (all above 0).

    The alternatives are mixed by a Dirichlet distribution around the shares, as narrow as `strength` arrivals make it.
    """
    prior = [strength * share for share in shares]
    posterior = [alpha + count for alpha, count in zip(prior, counts, strict=True)]
    likelihood = math.fsum(count * math.log(share) for count, share in zip(counts, shares, strict=True))
    return log_beta(posterior) - log_beta(prior) - likelihood


def share_interval(successes: int, failures: int, alpha: float, prior: tuple[float, float] = (0.5, 0.5)) -> Interval:
    """The success probabilities that a Beta(`prior`) mixture has not refuted at `alpha`: a confidence sequence.

    The prior decides where the interval is tight, not whether it is right.
    """
    mixture = log_beta((prior[0] + successes, prior[1] + failures)) - log_beta(prior)
    limit = mixture + math.log(alpha)

    def refuted(share: float) -> bool:
        return _log_likelihood(successes, failures, share) < limit

    total = successes + failures
    best = successes / total if total else 0.5
    return Interval(_edge(best, 0.0, refuted), _edge(best, 1.0, refuted))


def mean_interval(mean: float, variance_of_mean: float, units: int, alpha: float) -> Interval:
    """An asymptotic confidence sequence for a mean, or a difference of means, over `units` units in all.

    `variance_of_mean` is the estimated variance of the estimate (theorem 2.2 of Waudby-Smith et al., with the
    variance per unit `units * variance_of_mean`). The error is alpha in the limit only: few units or heavy tails
    make it larger.
    """
    log_alpha = -2.0 * math.log(alpha)
    rho_squared = (log_alpha + math.log(log_alpha) + 1.0) / TIGHTEST_UNITS
    growth = units * rho_squared + 1.0
    spread = math.sqrt(2.0 * growth / (units * rho_squared) * math.log(math.sqrt(growth) / alpha))
    radius = math.sqrt(variance_of_mean) * spread
    return Interval(mean - radius, mean + radius)


def p_value(log_evidence: float) -> float:
    """The anytime-valid p-value of a wealth."""
    return math.exp(-log_evidence) if log_evidence > 0.0 else 1.0


def _log_likelihood(successes: int, failures: int, share: float) -> float:
    gained = successes * math.log(share) if successes and share > 0.0 else (-math.inf if successes else 0.0)
    lost = failures * math.log1p(-share) if failures and share < 1.0 else (-math.inf if failures else 0.0)
    return gained + lost


def _edge(inside: float, outside: float, refuted: Callable[[float], bool]) -> float:
    """Where the refuted shares begin between the two, on their side: an interval errs by being too wide."""
    if not refuted(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2.0
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside
