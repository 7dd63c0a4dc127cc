"""The mathematics, against exact enumeration, scipy's closed form, and properties."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc, betaln
from scipy.stats import beta, binom

from switchover.decide.evidence import (
    DROPS,
    LIFTS,
    LOG_PRIOR,
    MOMENT_SECONDS,
    POOL_REQUESTS,
    Counts,
    MetricEvidence,
    bet,
    compare,
    count,
    hold_to_objective,
    log_comparison,
    log_objective,
    log_sum,
    null_share,
    reserve_at,
    upper_bound,
)

rates = st.floats(0.001, 0.9)
requests = st.integers(1, 2000)


@st.composite
def counts(draw: st.DrawFn, at_least: int = POOL_REQUESTS) -> Counts:
    total = draw(st.integers(at_least, 3000))
    return Counts(total, draw(st.integers(0, total)))


def expectation(wealth_of: dict[int, float], chances: dict[int, float]) -> float:
    return math.fsum(wealth_of[bad] * chances[bad] for bad in chances)


def test_the_prior_is_a_distribution_over_lifts_above_one() -> None:
    assert math.fsum(math.exp(log) for log in LOG_PRIOR) == pytest.approx(1.0)
    assert LIFTS[0] > 1.0
    assert all(low < high for low, high in pairwise(LIFTS))
    assert all(0.0 < drop < 1.0 for drop in DROPS)


@given(st.integers(1, 40), rates)
def test_a_bet_at_the_null_is_exactly_fair(total: int, share: float) -> None:
    for position, fair in enumerate(LOG_PRIOR):
        wealth = {bad: math.exp(bet(LOG_PRIOR, bad, total, share)[position] - fair) for bad in range(total + 1)}
        chances = {bad: float(binom.pmf(bad, total, share)) for bad in range(total + 1)}
        assert expectation(wealth, chances) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("margin", [0.0, 0.25])
@pytest.mark.parametrize(("canary", "live"), [(3, 27), (10, 20), (25, 5)])
@pytest.mark.parametrize("rate", [0.01, 0.2, 0.7])
def test_one_look_at_a_canary_at_the_margin_is_worth_at_most_one(
    margin: float, canary: int, live: int, rate: float
) -> None:
    # Real requests fail or not: two independent binomials, not one binomial of the failures.
    total = 0.0
    for bad in range(canary + 1):
        for live_bad in range(live + 1):
            chance = binom.pmf(bad, canary, rate * (1 + margin)) * binom.pmf(live_bad, live, rate)
            metric = compare(MetricEvidence(), Counts(canary, bad), Counts(live, live_bad), margin)
            total += float(chance) * math.exp(log_comparison(metric))
    assert 0.0 < total <= 1.0 + 1e-9


@pytest.mark.parametrize(("limit", "rate"), [(0.01, 0.01), (0.05, 0.05), (0.05, 0.02)])
def test_two_looks_at_a_rate_within_the_objective_are_worth_at_most_one(limit: float, rate: float) -> None:
    total = 0.0
    for first in range(21):
        after_first = hold_to_objective(MetricEvidence(), 0.0, Counts(20, first), limit)
        for second in range(21):
            metric = hold_to_objective(after_first, 30.0, Counts(20, second), limit)
            chance = binom.pmf(first, 20, rate) * binom.pmf(second, 20, rate)
            total += float(chance) * math.exp(log_objective(metric))
    assert total <= 1.0 + 1e-9
    if limit == rate:
        assert total == pytest.approx(1.0)


@pytest.mark.parametrize(("bad", "live_bad"), [(0, 0), (0, 9), (3, 1), (7, 20), (40, 5)])
def test_with_the_prior_of_the_paper_the_mixture_is_its_closed_form(bad: int, live_bad: int) -> None:
    # Lindon & Malek: Beta(k s, k (1 - s)), truncated to shares above s. The same sum over lifts, on a fine grid.
    share, k, steps = 0.1, 2.0, 20_000
    a, b = k * share, k * (1.0 - share)
    tail = betainc(a, b, share)
    logs = []
    for step in range(steps):
        other = float(beta.ppf(tail + (1.0 - tail) * (step + 0.5) / steps, a, b))
        lift = other / (1.0 - other) * (1.0 - share) / share
        total = bad + live_bad
        logs.append(bad * math.log(lift) - total * math.log1p(share * (lift - 1.0)) - math.log(steps))
    closed = (
        betaln(a + bad, b + live_bad)
        + math.log1p(-betainc(a + bad, b + live_bad, share))
        - betaln(a, b)
        - math.log1p(-tail)
        - bad * math.log(share)
        - live_bad * math.log1p(-share)
    )
    assert log_sum(tuple(logs)) == pytest.approx(closed, abs=0.01)


def test_the_formula_of_a_bet_is_the_ratio_of_two_binomials() -> None:
    share = 0.1
    for log, fair, lift in zip(bet(LOG_PRIOR, 4, 6, share), LOG_PRIOR, LIFTS, strict=True):
        raised = lift * share / (lift * share + 1.0 - share)
        assert log - fair == pytest.approx(float(binom.logpmf(4, 6, raised) - binom.logpmf(4, 6, share)))


@given(
    st.integers(POOL_REQUESTS, 500),
    st.integers(1, 500),
    st.lists(st.tuples(st.integers(0, POOL_REQUESTS), st.integers(0, 500)), min_size=2, max_size=5),
    st.floats(0.0, 1.0),
)
def test_a_look_may_be_split_at_equal_share_without_changing_the_evidence(
    canary: int, live: int, bad: list[tuple[int, int]], margin: float
) -> None:
    split = MetricEvidence()
    for canary_bad, live_bad in bad:
        split = compare(split, Counts(canary, canary_bad), Counts(live, live_bad), margin)
    whole = compare(
        MetricEvidence(),
        Counts(canary * len(bad), sum(canary_bad for canary_bad, _ in bad)),
        Counts(live * len(bad), sum(live_bad for _, live_bad in bad)),
        margin,
    )
    assert split.comparison == pytest.approx(whole.comparison, rel=1e-9, abs=1e-9)


@given(
    st.permutations([(Counts(50, 3), Counts(450, 1)), (Counts(250, 0), Counts(250, 2)), (Counts(90, 9), Counts(10, 0))])
)
def test_the_order_of_the_looks_does_not_matter_to_the_comparison(looks: list[tuple[Counts, Counts]]) -> None:
    straight = compare(
        compare(compare(MetricEvidence(), Counts(50, 3), Counts(450, 1), 0.1), Counts(250, 0), Counts(250, 2), 0.1),
        Counts(90, 9),
        Counts(10, 0),
        0.1,
    )
    shuffled = MetricEvidence()
    for canary, live in looks:
        shuffled = compare(shuffled, canary, live, 0.1)
    assert log_comparison(shuffled) == pytest.approx(log_comparison(straight))


@given(counts(), counts(), st.floats(0.0, 1.0))
def test_one_more_bad_answer_of_the_canary_is_more_evidence(canary: Counts, live: Counts, margin: float) -> None:
    worse = Counts(canary.requests + 1, canary.bad + 1)
    better = Counts(canary.requests + 1, canary.bad)
    start = MetricEvidence()
    assert log_comparison(compare(start, worse, live, margin)) > log_comparison(compare(start, better, live, margin))
    over, under = (hold_to_objective(start, 0.0, look, 0.01) for look in (worse, better))
    assert log_objective(over) > log_objective(under)


@given(st.lists(st.tuples(requests, requests, st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=30))
def test_a_canary_no_worse_than_live_in_any_look_never_gains_evidence(
    looks: list[tuple[int, int, float, float]],
) -> None:
    metric = MetricEvidence()
    for canary, live, rate, part in looks:
        live_bad = math.ceil(rate * live)
        bad = math.floor(part * canary * live_bad / live)
        metric = compare(metric, Counts(canary, bad), Counts(live, live_bad), 0.0)
        assert log_comparison(metric) <= 1e-9


def test_a_look_too_small_to_tell_its_share_waits_for_more() -> None:
    waiting = compare(MetricEvidence(), Counts(1, 1), Counts(9, 0), 0.0)
    assert waiting.comparison == LOG_PRIOR
    together = compare(waiting, Counts(1, 0), Counts(9, 0), 0.0)
    assert together.comparison == bet(LOG_PRIOR, 1, 1, null_share(2, 18, 0.0))
    assert together.pooled_canary == together.pooled_live == Counts()


@pytest.mark.parametrize(("canary", "live"), [(Counts(500, 500), Counts()), (Counts(), Counts(500, 500))])
def test_a_comparison_with_nobody_says_nothing(canary: Counts, live: Counts) -> None:
    assert log_comparison(compare(MetricEvidence(), canary, live, 0.0)) == pytest.approx(0.0)


def test_billions_of_requests_neither_overflow_nor_underflow() -> None:
    many = 10**12
    metric = compare(MetricEvidence(), Counts(many, many), Counts(many, 0), 0.0)
    assert math.isfinite(log_comparison(metric))
    metric = compare(metric, Counts(many, 0), Counts(many, many), 0.0)
    assert math.isfinite(log_comparison(metric))
    metric = hold_to_objective(metric, 1e9, Counts(many, 0), 0.01)
    assert math.isfinite(log_objective(metric))
    assert math.isfinite(log_objective(hold_to_objective(metric, 2e9, Counts(many, many), 0.01)))


def test_a_release_that_breaks_after_a_good_hour_is_over_its_objective_within_seconds() -> None:
    metric = MetricEvidence()
    for second in range(3600):
        metric = hold_to_objective(metric, float(second), Counts(50, 0), 0.01)
    for second in range(3600, 3604):
        metric = hold_to_objective(metric, float(second), Counts(50, 10), 0.01)
    assert log_objective(metric) > math.log(1 / 0.0005)


def test_the_reserve_is_spent_with_time_and_never_overdrawn() -> None:
    held = [reserve_at(float(second)) for second in (0, 1, 60, 3600, 10**9)]
    assert held[0] == pytest.approx(0.1)
    assert all(earlier > later > 0.0 for earlier, later in pairwise(held))


def test_a_clock_that_goes_back_invests_nothing_twice() -> None:
    there = hold_to_objective(MetricEvidence(), 60.0, Counts(), 0.01)
    back = hold_to_objective(there, 10.0, Counts(), 0.01)
    assert back == there
    assert log_objective(back) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("apart", "moments"), [(0.0, 1), (MOMENT_SECONDS - 0.01, 1), (MOMENT_SECONDS, 2), (5.0, 2), (-5.0, 2)]
)
def test_bad_answers_close_together_are_one_moment(apart: float, moments: int) -> None:
    metric = count(MetricEvidence(), 10.0, Counts(30, 5), Counts())
    metric = count(metric, 10.0 + apart, Counts(30, 5), Counts())
    assert metric.bad_moments == moments
    assert metric.canary == Counts(60, 10)


@given(counts(1), st.sampled_from([0.001, 0.01, 0.05]))
def test_the_upper_bound_is_above_the_observed_rate_and_falls_with_alpha(seen: Counts, alpha: float) -> None:
    bound = upper_bound(seen, alpha)
    assert seen.rate - 1e-6 <= bound <= 1.0
    assert upper_bound(seen, alpha / 10) >= bound
    assert upper_bound(Counts(seen.requests + 1, seen.bad + 1), alpha) >= bound
    assert upper_bound(Counts(seen.requests + 1, seen.bad), alpha) <= bound


def test_nothing_seen_bounds_nothing() -> None:
    assert upper_bound(Counts(), 0.01) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_the_upper_bound_is_below_the_truth_no_more_often_than_promised(rate: float) -> None:
    # Exactly, at one sample size; at any look it is Ville's inequality on the same wealth.
    for total in (50, 200, 800):
        wrong = math.fsum(
            float(binom.pmf(bad, total, rate))
            for bad in range(total + 1)
            if binom.pmf(bad, total, rate) > 1e-15 and upper_bound(Counts(total, bad), 0.05) < rate
        )
        assert wrong <= 0.05
