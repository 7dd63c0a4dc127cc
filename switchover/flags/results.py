"""What an experiment has shown: values for the command line, in words and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from switchover.flags.anytime import Interval
from switchover.flags.snapshot import Json


class Verdict(StrEnum):
    """What may be said now, and still tomorrow with the promised error."""

    NO_DATA = "no data"
    UNDECIDED = "not decided yet"
    BETTER = "better"
    WORSE = "worse"
    MISMATCH = "do not trust"


@dataclass(frozen=True, slots=True)
class VariantResult:
    """One variant. `rate` is converted units per unit; `mean` the value per unit, None where no event had a value.

    `mean_interval` is asymptotic: its error is right for many units; None for fewer than 30 with a value.
    """

    name: str
    units: int
    converted: int
    rate: float
    rate_interval: Interval
    mean: float | None
    mean_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One variant against the control. The intervals hold at every look with the experiment's confidence.

    `difference` is in rate (0.01: one unit in a hundred more); `ratio` is how many times the control's rate, None
    where nobody converted. `mean_difference` and its interval are asymptotic, and judged by nobody.
    """

    variant: str
    control: str
    difference: float
    difference_interval: Interval
    ratio: float | None
    ratio_interval: Interval
    p_value: float
    mean_difference: float | None
    mean_difference_interval: Interval | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """How the units are spread, against the weights of the rule. `p_value` may be looked at any number of times."""

    expected: Mapping[str, float]
    found: Mapping[str, int]
    p_value: float
    mismatch: bool


@dataclass(frozen=True, slots=True)
class Results:
    """The whole answer. `split` is None where the weights are not known; `warnings` say what limits the answer."""

    flag: str
    event: str
    alpha: float
    control: str | None
    variants: tuple[VariantResult, ...]
    comparisons: tuple[Comparison, ...]
    split: Split | None
    verdict: Verdict
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    events: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON; an interval is `[low, high]`, with null where it has no end."""
        return {
            "flag": self.flag,
            "event": self.event,
            "alpha": self.alpha,
            "control": self.control,
            "verdict": str(self.verdict),
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "events": list(self.events),
            "variants": [_variant_json(variant) for variant in self.variants],
            "comparisons": [_comparison_json(comparison) for comparison in self.comparisons],
            "split": None if self.split is None else _split_json(self.split),
        }


def _variant_json(variant: VariantResult) -> Json:
    return {
        "name": variant.name,
        "units": variant.units,
        "converted": variant.converted,
        "rate": variant.rate,
        "rate_interval": _interval_json(variant.rate_interval),
        "mean": variant.mean,
        "mean_interval_asymptotic": _interval_json(variant.mean_interval),
    }


def _comparison_json(comparison: Comparison) -> Json:
    return {
        "variant": comparison.variant,
        "control": comparison.control,
        "difference": comparison.difference,
        "difference_interval": _interval_json(comparison.difference_interval),
        "ratio": comparison.ratio,
        "ratio_interval": _interval_json(comparison.ratio_interval),
        "p_value": comparison.p_value,
        "mean_difference": comparison.mean_difference,
        "mean_difference_interval_asymptotic": _interval_json(comparison.mean_difference_interval),
        "verdict": str(comparison.verdict),
        "reason": comparison.reason,
    }


def _split_json(split: Split) -> Json:
    return {
        "expected": dict(split.expected),
        "found": dict(split.found),
        "p_value": split.p_value,
        "mismatch": split.mismatch,
    }


def _interval_json(interval: Interval | None) -> Json:
    if interval is None:
        return None
    return [bound if abs(bound) != float("inf") else None for bound in (interval.low, interval.high)]
