from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.flags.experiments import judge_experiment
from switchover.flags.records import ExperimentData, VariantData
from switchover.flags.results import Results, Verdict

EVEN = {"A": 50, "B": 50}


def data(**variants: tuple[int, int]) -> ExperimentData:
    counted = {name: VariantData(units, converted) for name, (units, converted) in variants.items()}
    return ExperimentData("checkout", "purchase", counted)


def judge(weights: dict[str, int] | None = EVEN, **variants: tuple[int, int]) -> Results:
    return judge_experiment(data(**variants), weights=weights)


def test_a_clear_difference_is_named() -> None:
    results = judge(A=(5000, 500), B=(5000, 700))
    assert results.verdict is Verdict.BETTER
    assert results.control == "A"
    assert results.reasons[0].startswith("B is better than A: 14.000% against 10.000%")
    (comparison,) = results.comparisons
    assert comparison.difference == pytest.approx(0.04)
    assert 0.0 not in comparison.difference_interval
    assert comparison.difference in comparison.difference_interval
    assert 1.0 not in comparison.ratio_interval
    assert comparison.ratio == pytest.approx(1.4)


def test_a_worse_variant_is_named_too() -> None:
    results = judge(A=(5000, 700), B=(5000, 500))
    assert (results.verdict, results.comparisons[0].verdict) == (Verdict.WORSE, Verdict.WORSE)


def test_a_small_difference_is_not_decided_yet() -> None:
    results = judge(A=(5000, 500), B=(5000, 520))
    assert results.verdict is Verdict.UNDECIDED
    assert "cannot be told apart yet" in results.reasons[0]
    assert 1.0 in results.comparisons[0].ratio_interval
    assert 0.0 in results.comparisons[0].difference_interval


def test_a_split_that_the_rule_does_not_give_is_not_to_be_trusted_however_clear_the_outcome() -> None:
    results = judge(A=(5500, 500), B=(4500, 800))
    assert results.verdict is Verdict.MISMATCH
    assert "sample ratio mismatch" in results.reasons[0]
    assert results.comparisons[0].verdict is Verdict.MISMATCH
    assert results.split is not None
    assert results.split.p_value < 0.01


def test_a_variant_that_nobody_was_given_is_a_mismatch() -> None:
    assert judge(A=(400, 10)).verdict is Verdict.MISMATCH


def test_the_split_is_held_against_uneven_weights() -> None:
    assert judge({"A": 90, "B": 10}, A=(9000, 10), B=(1000, 1)).verdict is Verdict.UNDECIDED
    assert judge({"A": 90, "B": 10}, A=(5000, 10), B=(5000, 1)).verdict is Verdict.MISMATCH


def test_uneven_weights_do_not_fake_a_difference() -> None:
    results = judge({"A": 90, "B": 10}, A=(9000, 900), B=(1000, 100))
    assert results.comparisons[0].p_value == 1.0
    assert 1.0 in results.comparisons[0].ratio_interval


def test_without_weights_the_split_is_not_checked_and_the_answer_says_so() -> None:
    results = judge(None, A=(5500, 500), B=(4500, 800))
    assert results.split is None
    assert results.verdict is Verdict.BETTER
    assert "the weights are not known: the split is not checked" in results.warnings


def test_no_units_are_no_data() -> None:
    assert judge().verdict is Verdict.NO_DATA
    assert judge(None).verdict is Verdict.NO_DATA
    assert judge(None, A=(10, 1)).reasons == ("only one variant was given out",)


def test_nobody_converted_is_not_decided() -> None:
    results = judge(A=(100, 0), B=(100, 0))
    assert results.verdict is Verdict.UNDECIDED
    assert results.comparisons[0].ratio is None
    assert json.loads(json.dumps(results.to_json()))["comparisons"][0]["ratio_interval"] == [0.0, None]


def test_the_error_is_shared_by_the_comparisons_of_several_variants() -> None:
    weights = {"A": 1, "B": 1, "C": 1}
    two = judge(EVEN, A=(3000, 300), B=(3000, 375)).comparisons[0]
    three = judge(weights, A=(3000, 300), B=(3000, 375), C=(3000, 300)).comparisons[0]
    assert three.p_value == pytest.approx(two.p_value)
    assert three.ratio_interval.low < two.ratio_interval.low
    assert "needed 0.025" in judge(weights, A=(3000, 300), B=(3000, 300), C=(3000, 300)).reasons[0]


def test_the_control_can_be_named_and_must_be_a_variant() -> None:
    results = judge_experiment(data(A=(100, 10), B=(100, 10)), control="B", weights=EVEN)
    assert [(one.control, one.variant) for one in results.comparisons] == [("B", "A")]
    with pytest.raises(InputError, match="A, B"):
        judge_experiment(data(A=(100, 10), B=(100, 10)), control="Z", weights=EVEN)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, float("nan")])
def test_an_alpha_that_is_no_probability_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha"):
        judge_experiment(data(A=(1, 0)), alpha=alpha)


def test_what_was_left_out_is_said() -> None:
    limited = ExperimentData(
        "checkout", "purchase", {"A": VariantData(5, 1), "B": VariantData(6, 1), "vip": VariantData(2)}, 7, 8, 9
    )
    warnings = " | ".join(judge_experiment(limited, weights=EVEN).warnings)
    for part in ("vip", "7 units", "8 later exposures", "9 events"):
        assert part in warnings


def test_values_are_compared_by_their_means_and_labelled_asymptotic() -> None:
    first = VariantData(1000, 100, total=1000.0, squares=12_000.0)
    second = VariantData(1000, 100, total=2000.0, squares=48_000.0)
    results = judge_experiment(ExperimentData("f", "e", {"A": first, "B": second}, valued=True), weights=EVEN)
    comparison = results.comparisons[0]
    assert comparison.mean_difference == pytest.approx(1.0)
    assert comparison.mean_difference_interval is not None
    assert comparison.mean_difference_interval.low < 1.0 < comparison.mean_difference_interval.high
    written = json.loads(json.dumps(results.to_json()))
    assert written["variants"][1]["mean"] == 2.0
    assert len(written["comparisons"][0]["mean_difference_interval_asymptotic"]) == 2


def test_few_values_have_no_interval() -> None:
    few = VariantData(1000, 5, total=10.0, squares=40.0)
    results = judge_experiment(ExperimentData("f", "e", {"A": few, "B": few}, valued=True), weights=EVEN)
    assert results.variants[0].mean == 0.01
    assert results.variants[0].mean_interval is None
    assert results.comparisons[0].mean_difference_interval is None


def test_nothing_is_decided_while_the_split_may_well_be_wrong() -> None:
    results = judge(A=(5180, 400), B=(5000 - 180, 700))
    assert results.split is not None
    assert 0.01 < results.split.p_value < 0.2
    assert results.verdict is Verdict.UNDECIDED
    assert "may not be spread as the rule says" in results.reasons[0]


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.2])
def test_weights_that_were_others_when_the_units_came_never_fake_a_difference(rate: float) -> None:
    for units in range(10, 3000, 10):
        first = units * 9 // 10
        results = judge(A=(first, int(first * rate)), B=(units - first, int((units - first) * rate)))
        assert results.verdict in {Verdict.UNDECIDED, Verdict.MISMATCH}, units


def test_an_event_that_nobody_recorded_is_named_with_those_that_are_known() -> None:
    variants = {"A": VariantData(500), "B": VariantData(500)}
    some = ExperimentData("checkout", "purchse", variants, events=("error", "purchase"))
    warnings = judge_experiment(some, weights=EVEN).warnings
    assert warnings == ("no event 'purchse' of any unit that takes part was recorded; known events: error, purchase",)
    assert "known events: none" in judge_experiment(ExperimentData("f", "e", variants), weights=EVEN).warnings[0]
    assert judge_experiment(ExperimentData("f", "e", variants, events=("e",)), weights=EVEN).warnings == ()


def test_events_of_too_many_kinds_and_units_of_other_weights_are_said() -> None:
    variants = {"A": VariantData(500), "B": VariantData(500)}
    full = ExperimentData("f", "e", variants, events=("e", "x"), unkept=7, older=9)
    warnings = judge_experiment(full, weights=EVEN).warnings
    assert warnings == (
        "left out: 9 units that were enrolled before the weights were changed",
        "left out: 7 events, since 2 kinds of event were known already",
    )


@given(
    st.tuples(st.integers(0, 500), st.integers(0, 500)),
    st.tuples(st.integers(0, 500), st.integers(0, 500)),
    st.sampled_from([EVEN, {"A": 1, "B": 9}, None]),
)
def test_any_counts_are_judged_without_contradiction(
    first: tuple[int, int], second: tuple[int, int], weights: dict[str, int] | None
) -> None:
    results = judge(weights, A=(sum(first), first[0]), B=(sum(second), second[0]))
    json.dumps(results.to_json(), allow_nan=False)
    for comparison in results.comparisons:
        is_decided = comparison.verdict in {Verdict.BETTER, Verdict.WORSE}
        assert not is_decided or 1.0 not in comparison.ratio_interval
        assert comparison.difference_interval.low <= comparison.difference_interval.high
        assert comparison.difference_interval.low >= -1.0
        assert comparison.difference_interval.high <= 1.0


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_somebody_who_always_looks_is_seldom_misled(rate: float) -> None:
    """150 experiments without a difference, 25 looks each: 5 % is promised, far less is usual."""
    random, alarms, mismatches = np.random.default_rng(7), 0, 0
    for _ in range(150):
        is_b, converts = random.random(3000) < 0.5, random.random(3000) < rate
        looks = [look(is_b[:n], converts[:n]) for n in np.geomspace(30, 3000, 25).astype(int)]
        alarms += any(one.comparisons[0].p_value <= 0.05 for one in looks)
        mismatches += any(one.verdict is Verdict.MISMATCH for one in looks)
    assert alarms <= 14
    assert mismatches <= 5


def look(
    is_b: np.ndarray[tuple[int], np.dtype[np.bool_]], converts: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Results:
    return judge(
        A=(int((~is_b).sum()), int((converts & ~is_b).sum())), B=(int(is_b.sum()), int((converts & is_b).sum()))
    )
