from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from switchover.flags.anytime import (
    log_beta,
    log_split_evidence,
    mean_interval,
    p_value,
    share_interval,
)

COUNTS = st.integers(0, 3000)


@given(COUNTS, COUNTS)
def test_the_beta_function_is_scipys(a: int, b: int) -> None:
    assert log_beta((a + 0.5, b + 2.0)) == pytest.approx(special.betaln(a + 0.5, b + 2.0), rel=1e-9, abs=1e-9)


@given(COUNTS, COUNTS, st.floats(0.05, 0.95))
def test_the_evidence_is_the_ratio_of_a_beta_binomial_to_a_binomial(first: int, second: int, share: float) -> None:
    mixed = stats.betabinom.logpmf(first, first + second, 100 * share, 100 * (1 - share))
    single = stats.binom.logpmf(first, first + second, share)
    assert log_split_evidence((first, second), (share, 1 - share), 100) == pytest.approx(mixed - single, abs=1e-6)


@given(st.lists(st.integers(0, 300), min_size=3, max_size=3))
def test_the_evidence_of_three_is_that_of_scipys_dirichlet_multinomial(counts: list[int]) -> None:
    shares = (0.5, 0.3, 0.2)
    mixed = stats.dirichlet_multinomial.logpmf(counts, [40 * share for share in shares], sum(counts))
    single = stats.multinomial.logpmf(counts, sum(counts), shares)
    assert log_split_evidence(counts, shares, 40) == pytest.approx(mixed - single, abs=1e-6)


@given(COUNTS, COUNTS, st.sampled_from([0.2, 0.05, 0.001]))
def test_an_interval_of_a_share_ends_where_the_evidence_reaches_its_limit(good: int, bad: int, alpha: float) -> None:
    interval = share_interval(good, bad, alpha)
    assert (good + 0.5) / (good + bad + 1) in interval or good + bad == 0
    for edge in (interval.low, interval.high):
        if 0.0 < edge < 1.0:
            mixture = special.betaln(good + 0.5, bad + 0.5) - special.betaln(0.5, 0.5)
            evidence = mixture - special.xlogy(good, edge) - special.xlog1py(bad, -edge)
            assert evidence == pytest.approx(-math.log(alpha), abs=1e-3)


@given(COUNTS, COUNTS)
def test_an_interval_is_wider_than_that_of_a_single_look(good: int, bad: int) -> None:
    interval = share_interval(good, bad, 0.05)
    if good + bad > 0:
        single = stats.binomtest(good, good + bad).proportion_ci(0.95, method="wilson")
        assert interval.high - interval.low > (single.high - single.low) * 0.9


def test_nothing_seen_leaves_every_share_possible() -> None:
    interval = share_interval(0, 0, 0.05)
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert log_split_evidence((0, 0), (0.5, 0.5), 100) == pytest.approx(0.0)


def test_the_expectation_of_the_evidence_is_1_under_the_hypothesis() -> None:
    """Summed over all outcomes of 40 arrivals: the property that Ville's inequality needs."""
    expectation = sum(
        stats.binom.pmf(first, 40, 0.3) * math.exp(log_split_evidence((first, 40 - first), (0.3, 0.7), 25))
        for first in range(41)
    )
    assert expectation == pytest.approx(1.0)


def test_the_interval_of_a_mean_is_the_published_formula() -> None:
    """Waudby-Smith et al., theorem 2.2, written out with t units of standard deviation s."""
    t, s, alpha = 5000, 3.0, 0.05
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / 10_000
    radius = s * math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / alpha))
    interval = mean_interval(1.0, s * s / t, t, alpha)
    assert (interval.low, interval.high) == (pytest.approx(1 - radius), pytest.approx(1 + radius))


def test_a_mean_is_held_under_constant_looks_far_more_often_than_promised() -> None:
    random, missed = np.random.default_rng(3), 0
    for _ in range(200):
        values = random.exponential(2.0, 4000)
        count = np.arange(1, 4001)
        means = np.cumsum(values) / count
        variances = np.cumsum(values**2) / count - means**2
        looks = range(100, 4000, 100)
        missed += any(2.0 not in mean_interval(means[n], variances[n] / n, n, 0.05) for n in looks)
    assert missed <= 20


def test_evidence_that_speaks_for_the_hypothesis_is_a_p_value_of_1() -> None:
    assert p_value(-3.0) == 1.0
    assert p_value(math.log(20)) == pytest.approx(0.05)
