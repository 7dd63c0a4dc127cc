"""Whether one variant of a flag has more errors than the others: the e-process that judges deployments, too.

It asks of each unit with an error which variant it had. Chance gave the variants out, so a harmless one has at most
its share of these units, whoever was enrolled when and however many of the others are idle: the units without an
error need not be known. That holds while the share only rises. A unit whose lot has meanwhile become this variant,
and that has not come back to be given it, still counts for the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from switchover.decide.evidence import MetricEvidence, bet, log_comparison
from switchover.model import JudgeSettings, Reason


def add_errors(
    evidence: MetricEvidence, fresh: Mapping[str, int], variant: str, share: float, margin: float
) -> MetricEvidence:
    """Add the units that had their first error between two looks, by variant.

    `share` is the part of all units that is given the variant, 0 to 1; of all or of nobody nothing can be learnt.
    """
    own, total = fresh.get(variant, 0), sum(fresh.values())
    if not total or not 0.0 < share < 1.0:
        return evidence
    weighted = share * (1.0 + margin)
    null = weighted / (weighted + 1.0 - share)
    return replace(evidence, comparison=bet(evidence.comparison, own, total, null))


def count_fresh(counts: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """What has come since the look before; nothing where somebody began to count anew."""
    return {name: max(0, count - before.get(name, 0)) for name, count in counts.items()}


def judge_variants(evidence: MetricEvidence, variant: str, settings: JudgeSettings) -> tuple[Reason, ...]:
    """The reason against the variant, if the evidence is enough for one."""
    found, needed = log_comparison(evidence), -math.log(settings.alpha)
    if found < needed:
        return ()
    strength = f"evidence 10^{found / math.log(10):.1f}, needed 10^{needed / math.log(10):.1f}"
    return (Reason("errors-against-variants", f"{variant} has more errors than the other variants ({strength})"),)
