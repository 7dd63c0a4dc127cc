"""Two variants against each other, on counts that may be looked at any number of times.

They are compared by the units that converted: given that a unit did, it had been given the second variant with a
probability that depends on the weights of the rule and on the ratio of the two rates alone. So neither seasons, nor
a rate that changes from hour to hour, nor conversions that come late can fake a difference (Lindon & Malek's test of
time-inhomogeneous Bernoulli processes), and the same test gives the interval of the ratio. The price is that what
the others did not do says nothing: at rates of a half the intervals are 1.4 times as wide as they could be, below
a fifth hardly wider.

`share` is everywhere the second's part of the weights of both.
"""

from __future__ import annotations

import math
from typing import Final

from switchover.flags.anytime import Interval, log_split_evidence, mean_interval, share_interval
from switchover.flags.records import VariantData

LEAST_VALUES: Final = 30
"""An asymptotic interval of a mean is not given for fewer units with a value: their spread is not known."""

# How narrow the alternatives lie around the hypothesis: for rates that differ by a tenth or more. It is right for
# every difference; there it is fastest.
_STRENGTH: Final = 100.0

# The part of the error that an interval of a difference spends on the overall rate, which is known much better.
_RATE_PART: Final = 0.1


def log_evidence_of_difference(first: VariantData, second: VariantData, share: float) -> float:
    """The logarithm of the wealth against "both rates are the same"."""
    return log_split_evidence((second.converted, first.converted), (share, 1.0 - share), _STRENGTH)


def ratio_interval(first: VariantData, second: VariantData, share: float, alpha: float) -> Interval:
    """How many times the first's rate the second's may be."""
    conversions = _conversions(first, second, share, alpha)
    return Interval(_ratio(conversions.low, share), _ratio(conversions.high, share))


def _conversions(first: VariantData, second: VariantData, share: float, alpha: float) -> Interval:
    """The second's part of the conversions."""
    return share_interval(second.converted, first.converted, alpha, (_STRENGTH * share, _STRENGTH * (1.0 - share)))


def _ratio(converted_share: float, share: float) -> float:
    """The ratio of the rates that gives the second this part of the conversions."""
    if converted_share >= 1.0:
        return math.inf
    return converted_share / (1.0 - converted_share) * (1.0 - share) / share


def difference_interval(first: VariantData, second: VariantData, share: float, alpha: float) -> Interval:
    """How much higher the second's rate may be, in units per unit.

    It is the rate of both together (taken as steady) times a rising function of the second's part of the conversions.
    """
    conversions = _conversions(first, second, share, alpha * (1.0 - _RATE_PART))
    converted, units = first.converted + second.converted, first.units + second.units
    rate = share_interval(converted, units - converted, alpha * _RATE_PART)

    def gap(converted_share: float) -> float:
        return converted_share / share - (1.0 - converted_share) / (1.0 - share)

    low, high = gap(conversions.low), gap(conversions.high)
    return Interval(_clip(min(low * rate.low, low * rate.high)), _clip(max(high * rate.low, high * rate.high)))


def _clip(difference: float) -> float:
    return min(max(difference, -1.0), 1.0)


def compare_means(first: VariantData, second: VariantData, alpha: float) -> tuple[float | None, Interval | None]:
    """How much higher the second's value per unit is, and the asymptotic interval of that; None for too few."""
    if not first.units or not second.units:
        return None, None
    difference = second.total / second.units - first.total / first.units
    if min(first.converted, second.converted) < LEAST_VALUES:
        return difference, None
    variance = variance_of_mean(first) + variance_of_mean(second)
    return difference, mean_interval(difference, variance, first.units + second.units, alpha)


def variance_of_mean(variant: VariantData) -> float:
    """The estimated variance of the value per unit; of at least one unit."""
    mean = variant.total / variant.units
    return max(variant.squares / variant.units - mean * mean, 0.0) / variant.units


def rate_of(variant: VariantData) -> float:
    """Converted units per unit, 0 of none."""
    return variant.converted / variant.units if variant.units else 0.0
