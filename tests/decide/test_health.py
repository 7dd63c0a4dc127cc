"""The judge: its verdicts, its guard rails, every fixed rule at its boundary."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.health import ALPHA_SHARES, Evidence, count_needed_requests, judge_health
from switchover.model import JudgeSettings, Observation, Standing, Tally, Verdict

SETTINGS = JudgeSettings()
START = 1_700_000_000.0
QUIET = Observation(START, Tally(), Tally())
GOOD = Observation(START, Tally(30), Tally(270))


def look(at: float, canary: Tally, live: Tally = Tally(270)) -> Observation:  # noqa: B008 - a frozen value
    return Observation(START + at, canary, live)


def judge(looks: Iterable[Observation], settings: JudgeSettings = SETTINGS) -> list[Verdict]:
    evidence, verdicts = Evidence(), []
    for observation in looks:
        evidence, verdict = judge_health(evidence, observation, settings)
        verdicts.append(verdict)
    return verdicts


def rules(verdict: Verdict) -> list[str]:
    return [reason.rule for reason in verdict.reasons]


def each_second(seconds: int, canary: Tally, live: Tally = Tally(270)) -> list[Observation]:  # noqa: B008
    return [look(float(second), canary, live) for second in range(seconds)]


# --- the count rules -----------------------------------------------------------------------------------


def test_the_parts_of_alpha_add_up_to_it() -> None:
    assert sum(ALPHA_SHARES.values()) == pytest.approx(1.0)


def test_a_canary_that_fails_one_request_in_five_is_unhealthy_at_the_second_look() -> None:
    verdicts = judge(each_second(2, Tally(30, 6)))
    assert [verdict.standing for verdict in verdicts] == [Standing.NO_DATA, Standing.UNHEALTHY]
    assert rules(verdicts[1]) == ["errors-against-live", "errors-over-objective"]
    assert "canary errors 12 of 60 (20.00%), live errors 0 of 540 (0.00%)" in verdicts[1].reasons[0].message


def test_a_slow_canary_is_unhealthy_by_both_slow_rules() -> None:
    verdict = judge(each_second(2, Tally(30, 0, 30)))[-1]
    assert rules(verdict) == ["slow-against-live", "slow-over-objective"]


def test_a_first_deployment_is_judged_by_the_objective_alone() -> None:
    verdict = judge(each_second(2, Tally(30, 6, 30), Tally()))[-1]
    assert rules(verdict) == ["errors-over-objective", "slow-over-objective"]
    assert "live had no requests" in verdict.reasons[0].message


def test_an_outage_of_both_colours_is_unhealthy_and_says_so() -> None:
    verdict = judge(each_second(2, Tally(30, 6), Tally(270, 54)))[-1]
    assert rules(verdict) == ["errors-over-objective-live-too"]
    assert "the cause may be shared" in verdict.reasons[0].message


def test_a_canary_worse_than_a_live_colour_that_fails_too_is_not_excused() -> None:
    verdict = judge(each_second(2, Tally(30, 20), Tally(270, 54)))[-1]
    assert rules(verdict) == ["errors-against-live", "errors-over-objective"]


def test_evidence_is_carried_across_traffic_steps() -> None:
    step = [look(at, Tally(100, 1), Tally(900)) for at in (0.0, 1.0)]
    next_step = [look(at, Tally(500, 2), Tally(500)) for at in (2.0, 3.0)]
    assert judge(step)[-1].standing is not Standing.UNHEALTHY
    assert judge(next_step)[-1].standing is not Standing.UNHEALTHY
    assert "errors-against-live" in rules(judge([*step, *next_step])[-1])


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(1, 400), st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
        min_size=1,
        max_size=25,
    )
)
def test_a_canary_no_worse_than_live_is_never_unhealthy_by_comparison(
    parts: list[tuple[int, int, float, float]],
) -> None:
    looks = []
    for second, (canary, live, rate, part) in enumerate(parts):
        live_bad = round(rate * live)
        bad = int(part * canary * live_bad / live)
        looks.append(look(float(second), Tally(canary, bad, bad), Tally(live, live_bad, live_bad)))
    for verdict in judge(looks):
        assert not {"errors-against-live", "slow-against-live"} & set(rules(verdict))


@given(st.lists(st.integers(0, 29), min_size=2, max_size=15), st.integers(0, 14), st.integers(0, 20))
def test_one_more_failure_never_clears_a_canary(errors: list[int], position: int, live_errors: int) -> None:
    def last(counts: list[int]) -> Standing:
        live = Tally(270, live_errors)
        return judge(look(float(second), Tally(30, bad), live) for second, bad in enumerate(counts))[-1].standing

    position %= len(errors)
    worse = [bad + 1 if second == position else bad for second, bad in enumerate(errors)]
    rank = [Standing.HEALTHY, Standing.NO_DATA, Standing.UNHEALTHY]
    assert rank.index(last(worse)) >= rank.index(last(errors))


@given(st.integers(1, 10), st.integers(0, 30))
def test_the_interval_of_the_looks_does_not_change_the_totals(seconds: int, errors: int) -> None:
    def gathered(looks: list[Observation]) -> Evidence:
        evidence = Evidence()
        for observation in looks:
            evidence, _ = judge_health(evidence, observation, SETTINGS)
        return evidence

    often = gathered(each_second(seconds, Tally(30, errors)))
    once = gathered([look(float(seconds - 1), Tally(30 * seconds, errors * seconds), Tally(270 * seconds))])
    assert often.errors.canary == once.errors.canary
    assert often.errors.comparison == pytest.approx(once.errors.comparison)


# --- guard rails ---------------------------------------------------------------------------------------


def test_one_burst_of_errors_does_not_take_a_release_back_but_a_second_one_does() -> None:
    burst = [look(0.0, Tally(30)), look(1.0, Tally(30, 25))]
    assert judge(burst)[-1].standing is Standing.NO_DATA
    assert judge([*burst, look(2.0, Tally(30))])[-1].standing is Standing.NO_DATA
    assert judge([*burst, look(2.0, Tally(30, 1))])[-1].standing is Standing.UNHEALTHY


def test_two_looks_in_the_same_moment_are_one_burst() -> None:
    assert judge([look(0.0, Tally(30, 25)), look(0.1, Tally(30, 25))])[-1].standing is Standing.NO_DATA


def test_the_warm_up_is_not_compared_and_not_timed_but_held_to_the_objective() -> None:
    settings = replace(SETTINGS, warm_up_seconds=10.0)
    slow_start = each_second(10, Tally(30, 0, 30))
    assert {verdict.standing for verdict in judge(slow_start, settings)} == {Standing.NO_DATA}
    assert rules(judge(each_second(2, Tally(30, 6)), settings)[-1]) == ["errors-over-objective"]


def test_the_warm_up_ends_at_its_time_and_not_before() -> None:
    settings = replace(SETTINGS, warm_up_seconds=10.0)
    slow = Tally(30, 0, 30)
    assert judge([*each_second(10, slow), look(9.0, slow), look(9.9, slow)], settings)[-1].standing is Standing.NO_DATA
    assert rules(judge([*each_second(10, slow), look(10.0, slow), look(11.0, slow)], settings)[-1]) == [
        "slow-against-live",
        "slow-over-objective",
    ]


def test_errors_without_their_request_counted_yet_are_requests() -> None:
    verdict = judge(each_second(2, Tally(0, 12)))[-1]
    assert "canary errors 24 of 24" in verdict.reasons[0].message


# --- healthy, and no data ------------------------------------------------------------------------------


def test_a_clean_canary_of_thirty_requests_a_second_passes_within_eight_seconds() -> None:
    verdicts = judge(each_second(8, Tally(30)))
    assert verdicts[2].standing is Standing.NO_DATA
    assert rules(verdicts[2]) == ["not-enough-evidence"]
    assert verdicts[7].standing is Standing.HEALTHY
    assert rules(verdicts[7]) == ["within-tolerance", "within-tolerance"]


def test_a_canary_with_live_s_few_errors_passes() -> None:
    looks = [look(float(second), Tally(30, int(second % 20 == 0)), Tally(270, 1)) for second in range(60)]
    verdicts = judge(looks)
    assert Standing.UNHEALTHY not in {verdict.standing for verdict in verdicts}
    assert verdicts[-1].standing is Standing.HEALTHY


def test_many_errors_under_a_lax_objective_are_not_healthy_before_they_are_provably_tolerable() -> None:
    settings = replace(SETTINGS, max_error_rate=0.2)
    verdicts = judge([look(float(second), Tally(30, 3), Tally(270, 27)) for second in range(60)], settings)
    assert verdicts[2].standing is Standing.NO_DATA
    assert verdicts[-1].standing is Standing.HEALTHY


@pytest.mark.parametrize(("needed", "standing"), [(240, Standing.HEALTHY), (241, Standing.NO_DATA)])
def test_healthy_needs_the_minimum_of_requests(needed: int, standing: Standing) -> None:
    assert judge(each_second(8, Tally(30)), replace(SETTINGS, min_requests=needed))[-1].standing is standing


@pytest.mark.parametrize(
    ("seconds", "standing"), [(0.0, Standing.NO_DATA), (60.0, Standing.NO_DATA), (60.5, Standing.UNHEALTHY)]
)
def test_no_data_is_held_for_its_time_and_then_fails(seconds: float, standing: Standing) -> None:
    verdict = judge([look(0.0, Tally()), look(seconds, Tally())])[-1]
    assert verdict.standing is standing
    assert rules(verdict) == ["no-data"]


def test_no_data_is_counted_from_the_last_canary_request() -> None:
    trickle = [look(float(second), Tally(1)) for second in (0, 50, 100, 150)]
    assert {verdict.standing for verdict in judge(trickle)} == {Standing.NO_DATA}
    assert judge([*trickle, look(210.0, Tally())])[-1].standing is Standing.NO_DATA
    assert judge([*trickle, look(211.0, Tally())])[-1].standing is Standing.UNHEALTHY


def test_a_canary_that_falls_silent_before_its_proof_fails_even_with_enough_requests() -> None:
    unproven = each_second(1, Tally(30))
    assert judge([*unproven, look(60.0, Tally(), Tally())])[-1].standing is Standing.NO_DATA
    failed = judge([*unproven, look(60.5, Tally(), Tally())])[-1]
    assert (failed.standing, rules(failed)) == (Standing.UNHEALTHY, ["no-data"])


def test_a_canary_that_loses_its_traffic_while_live_keeps_it_is_held_and_then_fails() -> None:
    good = each_second(10, Tally(30))
    assert judge([*good, look(69.0, Tally(), Tally(20))])[-1].standing is Standing.HEALTHY
    held = judge([*good, look(70.0, Tally(), Tally(999))])[-1]
    assert (held.standing, rules(held)) == (Standing.NO_DATA, ["no-data"])
    failed = judge([*good, look(70.0, Tally(), Tally(1000))])[-1]
    assert (failed.standing, rules(failed)) == (Standing.UNHEALTHY, ["no-data"])


def test_a_quiet_night_for_both_colours_takes_nothing_back() -> None:
    assert judge([*each_second(10, Tally(30)), look(4000.0, Tally(), Tally())])[-1].standing is Standing.HEALTHY


# --- fixed rules ---------------------------------------------------------------------------------------

RESTARTED = tuple(START - second for second in (0, 100, 200, 300, 301, 400))


@pytest.mark.parametrize(
    ("observation", "spoken"),
    [
        (replace(QUIET, probe_failures=2), []),
        (replace(QUIET, probe_failures=3), ["failed-probes"]),
        (replace(QUIET, log_lines=100, log_errors=10), []),
        (replace(QUIET, log_lines=100, log_errors=11), ["log-errors"]),
        (replace(QUIET, log_lines=1000, log_errors=100), []),
        (replace(QUIET, log_lines=1000, log_errors=101), ["log-errors"]),
        (replace(QUIET, log_lines=20, log_errors=2), []),
        (replace(QUIET, log_lines=20, log_errors=3), ["log-errors"]),
        (replace(QUIET, log_lines=19, log_errors=19), []),
        (replace(QUIET, restart_times=RESTARTED[:3]), []),
        (replace(QUIET, restart_times=RESTARTED[:4]), ["restarts"]),
        (replace(QUIET, restart_times=RESTARTED[1:]), []),
        (replace(QUIET, out_of_memory=True), ["out-of-memory"]),
        (replace(QUIET, throttled=True), ["throttled"]),
        (replace(QUIET, throttled=False), []),
        (replace(QUIET, throttled=None), []),
        (replace(QUIET, failed_smoke_tests=("checkout", "home")), ["failed-smoke-test", "failed-smoke-test"]),
    ],
)
def test_fixed_rules_speak_over_their_threshold_and_not_at_it(observation: Observation, spoken: list[str]) -> None:
    verdict = judge([observation])[0]
    assert rules(verdict) == (spoken or ["no-data"])
    assert verdict.standing is (Standing.UNHEALTHY if spoken else Standing.NO_DATA)


def test_thresholds_are_the_settings() -> None:
    lax = replace(SETTINGS, probe_failures=5, log_errors_per_100_lines=50.0, restarts=9, restart_window_seconds=1000.0)
    bad = replace(QUIET, probe_failures=4, log_lines=100, log_errors=50, restart_times=RESTARTED)
    assert judge([bad], lax)[0].standing is Standing.NO_DATA
    assert rules(judge([replace(bad, probe_failures=5)], lax)[0]) == ["failed-probes"]
    assert rules(judge([bad], replace(lax, restarts=5))[0]) == ["restarts"]


def test_restarts_are_carried_and_counted_once() -> None:
    looks = [replace(QUIET, at=START + 10 * n, restart_times=(START + 10 * n,)) for n in range(4)]
    assert rules(judge(looks)[-1]) == ["restarts"]
    again = [replace(QUIET, at=START + n, restart_times=RESTARTED[:3]) for n in range(10)]
    assert judge(again)[-1].standing is Standing.NO_DATA


def test_restarts_are_forgotten_after_their_window() -> None:
    looks = [replace(GOOD, at=START + n, restart_times=(START + n,) if n < 3 else ()) for n in range(10)]
    late = replace(GOOD, at=START + 400, restart_times=(START + 400,))
    assert judge([*looks, late])[-1].standing is Standing.HEALTHY


def test_the_log_rule_sees_the_last_hundred_lines_over_several_looks() -> None:
    few = [replace(QUIET, at=START + n, log_lines=5, log_errors=1) for n in range(4)]
    verdicts = judge(few)
    assert [verdict.standing for verdict in verdicts] == [Standing.NO_DATA] * 3 + [Standing.UNHEALTHY]
    bad_start = [replace(QUIET, log_lines=20, log_errors=2), replace(QUIET, at=START + 1, log_lines=100, log_errors=0)]
    then = replace(QUIET, at=START + 2, log_lines=50, log_errors=15)
    # 15 of the last 150: exactly at the threshold. With the two of the start it would be over it.
    assert judge([*bad_start, then])[-1].standing is Standing.NO_DATA
    assert judge([*bad_start, replace(then, log_errors=16)])[-1].standing is Standing.UNHEALTHY


def test_the_log_rule_drops_a_look_once_a_hundred_newer_lines_are_there() -> None:
    first = replace(QUIET, log_lines=1, log_errors=1)
    newer = replace(QUIET, at=START + 1, log_lines=100, log_errors=10)
    assert judge([first, newer])[-1].standing is Standing.NO_DATA
    assert judge([first, replace(newer, log_lines=99)])[-1].standing is Standing.UNHEALTHY


def test_all_reasons_are_in_the_verdict_in_a_fixed_order() -> None:
    bad = replace(
        GOOD,
        canary=Tally(30, 10, 30),
        probe_failures=3,
        restart_times=(START - 3, START - 2, START - 1, START),
        log_lines=100,
        log_errors=50,
        out_of_memory=True,
        throttled=True,
        failed_smoke_tests=("checkout",),
    )
    assert rules(judge([bad, replace(bad, at=START + 1)])[-1]) == [
        "failed-smoke-test",
        "failed-probes",
        "out-of-memory",
        "throttled",
        "restarts",
        "log-errors",
        "errors-against-live",
        "errors-over-objective",
        "slow-against-live",
        "slow-over-objective",
    ]


def test_a_fixed_rule_makes_a_canary_with_clean_requests_unhealthy() -> None:
    verdicts = judge([*each_second(10, Tally(30)), replace(GOOD, at=START + 10, probe_failures=3)])
    assert [verdicts[-2].standing, verdicts[-1].standing] == [Standing.HEALTHY, Standing.UNHEALTHY]


def test_every_verdict_has_a_reason_and_reads_as_one_line() -> None:
    for verdict in judge([QUIET, *each_second(6, Tally(30, 1))]):
        assert verdict.reasons
        assert "\n" not in str(verdict)


@pytest.mark.parametrize(
    "settings", [SETTINGS, JudgeSettings(min_requests=500), JudgeSettings(pass_error_rate=0.02, pass_slow_rate=0.5)]
)
def test_a_canary_without_faults_is_healthy_from_the_number_of_requests_that_is_announced(
    settings: JudgeSettings,
) -> None:
    needed = count_needed_requests(settings)
    assert [judge([look(0.0, Tally(each))], settings)[0].standing for each in (needed - 1, needed)] == [
        Standing.NO_DATA,
        Standing.HEALTHY,
    ]
