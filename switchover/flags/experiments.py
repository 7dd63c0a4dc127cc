"""The judge of experiments: which variant is better, said so that one may look at any time. No I/O, no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from switchover.decide.evidence import log_sum
from switchover.errors import InputError
from switchover.flags.anytime import log_split_evidence, mean_interval, p_value, share_interval
from switchover.flags.pairs import (
    LEAST_VALUES,
    compare_means,
    difference_interval,
    log_evidence_of_difference,
    rate_of,
    ratio_interval,
    variance_of_mean,
)
from switchover.flags.records import ExperimentData, VariantData
from switchover.flags.results import Comparison, Results, Split, VariantResult, Verdict

# A split is called wrong at this error, whatever alpha is: it is an alarm about the experiment, not its outcome.
MISMATCH_ALPHA: Final = 0.01

# While the split may well be wrong nothing is decided: a wrong split fakes a difference before it is proven itself.
DOUBTFUL_ALPHA: Final = 0.2

# How narrow the alternatives lie around the hypothesis: for splits that are off by a percent, and by a half.
_SPLIT_STRENGTHS: Final = (1000.0, 30.0)


def judge_experiment(
    data: ExperimentData,
    *,
    alpha: float = 0.05,
    control: str | None = None,
    weights: Mapping[str, float] | None = None,
) -> Results:
    """Judge the variants against the control, with a probability of at most `alpha` ever to name a difference wrongly.

    `weights` are the rule's; without them the split is not checked and the shares that were found stand in. The
    control is the first variant that has a weight where none is named. Raises `InputError` for an alpha outside
    (0, 1) or a control that is no variant.
    """
    if not 0.0 < alpha < 1.0:
        raise InputError(
            "the experiment was not judged",
            expected="alpha above 0 and below 1",
            found=str(alpha),
            next_step="use 0.05",
        )
    expected = _expected(data, weights)
    chosen = _choose_control(data, expected, control)
    rivals = [name for name in expected if name != chosen]
    error = alpha / max(len(rivals), 1)
    split = None if weights is None else _judge_split(data, expected)
    comparisons = tuple(
        _compare(data, (chosen, rival), expected, error, split) for rival in rivals if chosen is not None
    )
    verdict, reasons = _summarise(comparisons, split, data)
    return Results(
        flag=data.flag,
        event=data.event,
        alpha=alpha,
        control=chosen,
        variants=tuple(_describe(name, variant, alpha, data.valued) for name, variant in _all(data, expected).items()),
        comparisons=comparisons,
        split=split,
        verdict=verdict,
        reasons=reasons,
        warnings=_warn(data, weights, expected),
        events=tuple(data.events),
    )


def _all(data: ExperimentData, expected: Mapping[str, float]) -> dict[str, VariantData]:
    return {name: VariantData() for name in expected} | dict(data.variants)


def _expected(data: ExperimentData, weights: Mapping[str, float] | None) -> dict[str, float]:
    """The share of each variant that takes part; they sum to 1."""
    if weights is None:
        weights = {name: float(variant.units) for name, variant in data.variants.items()}
    total = math.fsum(weight for weight in weights.values() if weight > 0.0)
    return {name: weight / total for name, weight in weights.items() if weight > 0.0}


def _choose_control(data: ExperimentData, expected: Mapping[str, float], control: str | None) -> str | None:
    if control is None:
        return next(iter(expected), None)
    if control not in expected and expected:
        raise InputError(
            f"the experiment {data.flag} was not judged",
            expected=f"a control among {', '.join(expected)}",
            found=control,
            next_step="name one of these variants",
        )
    return control if expected else None


def _judge_split(data: ExperimentData, expected: Mapping[str, float]) -> Split:
    found = {name: data.variants.get(name, VariantData()).units for name in expected}
    counts, shares = tuple(found.values()), tuple(expected.values())
    # The mean of several wealths is a wealth.
    evidence = log_sum(tuple(log_split_evidence(counts, shares, strength) for strength in _SPLIT_STRENGTHS))
    p = p_value(evidence - math.log(len(_SPLIT_STRENGTHS)))
    return Split(dict(expected), found, p, mismatch=p < MISMATCH_ALPHA)


def _describe(name: str, variant: VariantData, alpha: float, valued: bool) -> VariantResult:  # noqa: FBT001  (a fact)
    units = variant.units
    mean = variant.total / units if valued and units else None
    return VariantResult(
        name=name,
        units=units,
        converted=variant.converted,
        rate=rate_of(variant),
        rate_interval=share_interval(variant.converted, units - variant.converted, alpha),
        mean=mean,
        mean_interval=mean_interval(mean, variance_of_mean(variant), units, alpha)
        if mean is not None and variant.converted >= LEAST_VALUES
        else None,
    )


def _compare(
    data: ExperimentData, pair: tuple[str, str], expected: Mapping[str, float], alpha: float, split: Split | None
) -> Comparison:
    """Compare the second of the pair with the first, the control."""
    (control, rival), (first, second) = pair, (data.variants.get(name, VariantData()) for name in pair)
    share = expected[rival] / (expected[control] + expected[rival])
    p = p_value(log_evidence_of_difference(first, second, share))
    more = second.converted * (1.0 - share) > first.converted * share
    verdict, reason = _decide(pair, (first, second), (p, alpha), split, more=more)
    means, means_interval = compare_means(first, second, alpha) if data.valued else (None, None)
    return Comparison(
        variant=rival,
        control=control,
        difference=rate_of(second) - rate_of(first),
        difference_interval=difference_interval(first, second, share, alpha),
        ratio=rate_of(second) / rate_of(first) if first.converted else None,
        ratio_interval=ratio_interval(first, second, share, alpha),
        p_value=p,
        mean_difference=means,
        mean_difference_interval=means_interval,
        verdict=verdict,
        reason=reason,
    )


def _decide(
    pair: tuple[str, str],
    counts: tuple[VariantData, VariantData],
    error: tuple[float, float],
    split: Split | None,
    *,
    more: bool,
) -> tuple[Verdict, str]:
    (control, rival), (first, second), (p, alpha) = pair, counts, error
    if split is not None and split.mismatch:
        return Verdict.MISMATCH, "sample ratio mismatch: the units are not spread as the rule says"
    if not first.units or not second.units:
        return Verdict.NO_DATA, f"no units in {control if not first.units else rival}"
    if split is not None and split.p_value < DOUBTFUL_ALPHA:
        return Verdict.UNDECIDED, f"the units may not be spread as the rule says (p {split.p_value:.3g}): wait for more"
    if p > alpha:
        return Verdict.UNDECIDED, f"{rival} and {control} cannot be told apart yet (p {p:.3g}, needed {alpha:.3g})"
    verdict = Verdict.BETTER if more else Verdict.WORSE
    return (
        verdict,
        f"{rival} is {verdict} than {control}: {rate_of(second):.3%} against {rate_of(first):.3%} (p {p:.3g})",
    )


def _summarise(
    comparisons: tuple[Comparison, ...], split: Split | None, data: ExperimentData
) -> tuple[Verdict, tuple[str, ...]]:
    if not comparisons:
        what = "only one variant was given out" if data.variants else "no unit was exposed"
        return Verdict.NO_DATA, (what,)
    if split is not None and split.mismatch:
        found = ", ".join(f"{name} {count}" for name, count in split.found.items())
        wanted = ", ".join(f"{name} {share:.1%}" for name, share in split.expected.items())
        return Verdict.MISMATCH, (f"sample ratio mismatch (p {split.p_value:.3g}): found {found}, expected {wanted}",)
    reasons = tuple(comparison.reason for comparison in comparisons)
    verdicts = {comparison.verdict for comparison in comparisons}
    for verdict in (Verdict.BETTER, Verdict.UNDECIDED, Verdict.NO_DATA):
        if verdict in verdicts:
            return verdict, reasons
    return Verdict.WORSE, reasons


def _warn(data: ExperimentData, weights: Mapping[str, float] | None, expected: Mapping[str, float]) -> tuple[str, ...]:
    warnings = []
    if weights is None:
        warnings.append("the weights are not known: the split is not checked")
    if strangers := [name for name in data.variants if name not in expected]:
        warnings.append(f"left out, since the split does not give them: {', '.join(strangers)}")
    if data.refused:
        warnings.append(f"the experiment is full: {data.refused} later exposures were not enrolled")
    if data.older:
        warnings.append(f"left out: {data.older} units that were enrolled before the weights were changed")
    if data.variants and data.event not in data.events:
        known = ", ".join(data.events) or "none"
        warnings.append(f"no event {data.event!r} of any unit that takes part was recorded; known events: {known}")
    if data.unkept:
        warnings.append(f"left out: {data.unkept} events, since {len(data.events)} kinds of event were known already")
    if data.reassigned:
        warnings.append(f"left out: {data.reassigned} units that were given two variants")
    if data.early:
        warnings.append(f"left out: {data.early} events that came before the exposure of their unit")
    return tuple(warnings)
