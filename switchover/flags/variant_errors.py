"""Whether one variant of a flag has more errors than the others: the count e-process that judges deployments, too."""

from __future__ import annotations

import math
from collections.abc import Callable

from switchover.decide.evidence import Counts, MetricEvidence, compare, log_comparison
from switchover.flags.records import ExperimentData, VariantData
from switchover.model import JudgeSettings, Reason


def add_errors(
    evidence: MetricEvidence, data: ExperimentData, before: ExperimentData, variant: str, margin: float
) -> MetricEvidence:
    """Add what happened between two looks. A unit counts until its first error."""
    own = _count_new(data, before, lambda name: name == variant)
    others = _count_new(data, before, lambda name: name != variant)
    return compare(evidence, own, others, margin)


def judge_variants(evidence: MetricEvidence, variant: str, settings: JudgeSettings) -> tuple[Reason, ...]:
    """The reason against the variant, if the evidence is enough for one."""
    found, needed = log_comparison(evidence), -math.log(settings.alpha)
    if found < needed:
        return ()
    strength = f"evidence 10^{found / math.log(10):.1f}, needed 10^{needed / math.log(10):.1f}"
    return (Reason("errors-against-variants", f"{variant} has more errors than the other variants ({strength})"),)


def _count_new(data: ExperimentData, before: ExperimentData, chosen: Callable[[str], bool]) -> Counts:
    """The units that had no error yet, and how many of them have one since the look before."""
    total = Counts()
    for name, variant in data.variants.items():
        if chosen(name):
            converted = before.variants.get(name, VariantData()).converted
            total += Counts(variant.units - converted, max(0, variant.converted - converted))
    return total
