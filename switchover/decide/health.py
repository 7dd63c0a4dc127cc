"""The judge: is the new colour good enough for more traffic? `docs/judge.md` explains it to those on call."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from switchover.decide.evidence import (
    Counts,
    MetricEvidence,
    compare,
    count,
    hold_to_objective,
    log_comparison,
    log_objective,
    upper_bound,
)
from switchover.model import JudgeSettings, Observation, Reason, Standing, Verdict

__all__ = ["ALPHA_SHARES", "Evidence", "judge_health"]

# How alpha is split over the four tests. The comparison of errors gets most, because there an early decision
# saves users and its evidence grows slowest; the others grow so fast that a smaller part costs them a second.
ALPHA_SHARES = {
    ("errors", "comparison"): 0.80,
    ("errors", "objective"): 0.05,
    ("slow", "comparison"): 0.10,
    ("slow", "objective"): 0.05,
}

# One burst (a retrying user, a replica that stumbles once) must not take a release back.
MIN_BAD_MOMENTS = 2

# The rate of log errors is taken over the last looks that hold this many lines, and not on fewer than the minimum.
LOG_WINDOW_LINES = 100
MIN_LOG_LINES = 20

# A canary without a single request while live answered this many has no traffic, even at a share of 1 %.
SILENT_LIVE_REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything carried from look to look and across traffic steps; the default is the start of a rollout.

    Times are seconds of the epoch. `live_in_silence` counts live's requests since the canary had its last one;
    `log_window` holds (lines, errors) of the looks that the log rule still sees.
    """

    started_at: float | None = None
    canary_seen_at: float | None = None
    live_in_silence: int = 0
    errors: MetricEvidence = field(default_factory=MetricEvidence)
    slow: MetricEvidence = field(default_factory=MetricEvidence)
    log_window: tuple[tuple[int, int], ...] = ()
    restart_times: tuple[float, ...] = ()


def judge_health(evidence: Evidence, observation: Observation, settings: JudgeSettings) -> tuple[Evidence, Verdict]:
    """Add one look to the evidence and judge the canary on all of it.

    Any rule that speaks makes the verdict unhealthy, and all that speak are in it, in a fixed order. Without
    one it is healthy only when both rates are provably tolerable, and no data otherwise. Looks may come at any
    interval; pass each only once.
    """
    evidence = _gather(evidence, observation, settings)
    if not settings.counts_traffic:
        return evidence, _judge_without_traffic(evidence, observation, settings)
    unproven = tuple(_find_unproven(evidence, settings))
    against = (
        *_judge_fixed_rules(evidence, observation, settings),
        *_judge_metric("errors", evidence.errors, settings.max_error_rate, settings),
        *_judge_metric("slow", evidence.slow, settings.max_slow_rate, settings),
        *_judge_silence(evidence, observation.at, settings, proven=not unproven),
    )
    if against:
        return evidence, Verdict(Standing.UNHEALTHY, against)
    missing = (*unproven, *_find_silence(evidence, observation.at, settings))
    if missing:
        return evidence, Verdict(Standing.NO_DATA, missing)
    return evidence, Verdict(Standing.HEALTHY, _praise(evidence, settings))


def _judge_without_traffic(evidence: Evidence, observation: Observation, settings: JudgeSettings) -> Verdict:
    against = tuple(_judge_fixed_rules(evidence, observation, settings))
    if against:
        return Verdict(Standing.UNHEALTHY, against)
    return Verdict(
        Standing.HEALTHY, (Reason("fixed-rules", "no fixed rule speaks against it; nobody counts requests"),)
    )


def count_needed_requests(settings: JudgeSettings) -> int:
    """How many requests prove a canary healthy when none of them is bad: no canary passes with fewer."""

    def is_unproven(requests: int) -> bool:
        return any(
            upper_bound(Counts(requests), settings.alpha / 2) >= tolerated
            for _, _, tolerated in _tolerances(Evidence(), settings)
        )

    low, high = 0, settings.min_requests
    while is_unproven(high):
        low, high = high, 2 * high
    while high - low > 1 and high > settings.min_requests:
        middle = (low + high) // 2
        low, high = (middle, high) if is_unproven(middle) else (low, middle)
    return high


# --- gathering ---------------------------------------------------------------------------------------


def _gather(evidence: Evidence, look: Observation, settings: JudgeSettings) -> Evidence:
    started_at = look.at if evidence.started_at is None else evidence.started_at
    elapsed = max(0.0, look.at - started_at)
    warm = elapsed >= settings.warm_up_seconds
    seen = look.canary.requests > 0
    since = look.at - settings.restart_window_seconds
    return Evidence(
        started_at=started_at,
        canary_seen_at=look.at if seen else evidence.canary_seen_at,
        live_in_silence=0 if seen else evidence.live_in_silence + look.live.requests,
        errors=_gather_errors(evidence.errors, look, elapsed, settings, warm=warm),
        slow=_gather_slow(evidence.slow, look, elapsed, settings) if warm else evidence.slow,
        log_window=_gather_log(evidence.log_window, look),
        restart_times=tuple(t for t in sorted({*evidence.restart_times, *look.restart_times}) if t >= since),
    )


def _gather_errors(
    metric: MetricEvidence, look: Observation, elapsed: float, settings: JudgeSettings, *, warm: bool
) -> MetricEvidence:
    canary, live = _counts(look.canary.requests, look.canary.errors), _counts(look.live.requests, look.live.errors)
    metric = count(metric, elapsed, canary, live)
    metric = hold_to_objective(metric, elapsed, canary, settings.max_error_rate)
    return compare(metric, canary, live, settings.margin) if warm else metric


def _gather_slow(metric: MetricEvidence, look: Observation, elapsed: float, settings: JudgeSettings) -> MetricEvidence:
    canary, live = _counts(look.canary.requests, look.canary.slow), _counts(look.live.requests, look.live.slow)
    metric = count(metric, elapsed, canary, live)
    metric = hold_to_objective(metric, elapsed, canary, settings.max_slow_rate)
    return compare(metric, canary, live, settings.margin)


def _counts(requests: int, bad: int) -> Counts:
    """Counters are not read in one instant: a bad answer whose request is not counted yet counts as one."""
    return Counts(max(requests, bad), bad)


def _gather_log(window: tuple[tuple[int, int], ...], look: Observation) -> tuple[tuple[int, int], ...]:
    if look.log_lines == 0 and look.log_errors == 0:
        return window
    window = (*window, (max(look.log_lines, look.log_errors), look.log_errors))
    lines = sum(lines for lines, _ in window)
    while lines - window[0][0] >= LOG_WINDOW_LINES:
        lines -= window[0][0]
        window = window[1:]
    return window


# --- rules that speak against the canary ---------------------------------------------------------------


def _judge_fixed_rules(evidence: Evidence, look: Observation, settings: JudgeSettings) -> Iterator[Reason]:
    for name in look.failed_smoke_tests:
        yield Reason("failed-smoke-test", f"smoke test {name} failed")
    if look.probe_failures >= settings.probe_failures:
        found = f"{look.probe_failures} consecutive health probes failed (unhealthy from {settings.probe_failures})"
        yield Reason("failed-probes", found)
    if look.out_of_memory:
        yield Reason("out-of-memory", "a replica ran out of memory")
    if look.throttled:
        yield Reason("throttled", "a replica is throttled: it wants more CPU than its limit")
    if len(evidence.restart_times) > settings.restarts:
        window = f"{settings.restart_window_seconds:g} s"
        found = f"{len(evidence.restart_times)} restarts in {window} (more than {settings.restarts} are unhealthy)"
        yield Reason("restarts", found)
    lines = sum(lines for lines, _ in evidence.log_window)
    errors = sum(errors for _, errors in evidence.log_window)
    # Multiplied out, so that exactly the threshold is not over it by a rounding error.
    if lines >= MIN_LOG_LINES and errors * 100 > settings.log_errors_per_100_lines * lines:
        limit = f"more than {settings.log_errors_per_100_lines:g} per 100 are unhealthy"
        yield Reason("log-errors", f"{errors} errors in the last {lines} log lines ({limit})")


def _judge_metric(name: str, metric: MetricEvidence, limit: float, settings: JudgeSettings) -> Iterator[Reason]:
    if metric.bad_moments < MIN_BAD_MOMENTS:
        return
    worse = log_comparison(metric)
    needed = -math.log(settings.alpha * ALPHA_SHARES[name, "comparison"])
    rates = f"{_describe(name, 'canary', metric.canary)}, {_describe(name, 'live', metric.live)}"
    compared = worse >= needed
    if compared:
        beyond = f" by more than {settings.margin:.0%}" if settings.margin else ""
        message = f"{rates}: worse than live{beyond}{_strength(worse, needed)}"
        yield Reason(f"{name}-against-live", message)
    over = log_objective(metric)
    needed = -math.log(settings.alpha * ALPHA_SHARES[name, "objective"])
    if over >= needed:
        shared = metric.live.rate > limit and not compared
        message = f"{rates}: over the objective of {limit:.2%}{_strength(over, needed)}"
        if shared:
            yield Reason(f"{name}-over-objective-live-too", f"{message}; live is over it too, the cause may be shared")
        else:
            yield Reason(f"{name}-over-objective", message)


def _describe(name: str, colour: str, counts: Counts) -> str:
    if counts.requests == 0:
        return f"{colour} had no requests"
    return f"{colour} {name} {counts.bad} of {counts.requests} ({counts.rate:.2%})"


def _strength(found: float, needed: float) -> str:
    return f" (evidence 10^{found / math.log(10):.1f}, needed 10^{needed / math.log(10):.1f})"


# --- no data -------------------------------------------------------------------------------------------


def _silence(evidence: Evidence, at: float) -> float:
    """Seconds since the canary had its last request, or since the first look."""
    since = evidence.started_at if evidence.canary_seen_at is None else evidence.canary_seen_at
    return 0.0 if since is None else at - since


def _judge_silence(evidence: Evidence, at: float, settings: JudgeSettings, *, proven: bool) -> Iterator[Reason]:
    silence = _silence(evidence, at)
    if silence > settings.no_data_seconds and not (proven and evidence.live_in_silence < SILENT_LIVE_REQUESTS):
        held = f"{evidence.errors.canary.requests} in all (held for {settings.no_data_seconds:g} s)"
        yield Reason("no-data", f"{_describe_silence(evidence, silence)}, {held}")


def _find_silence(evidence: Evidence, at: float, settings: JudgeSettings) -> Iterator[Reason]:
    silence = _silence(evidence, at)
    if silence > settings.no_data_seconds and evidence.live_in_silence > 0:
        yield Reason("no-data", _describe_silence(evidence, silence))


def _describe_silence(evidence: Evidence, silence: float) -> str:
    return f"no canary request for {silence:.0f} s while live had {evidence.live_in_silence}"


def _find_unproven(evidence: Evidence, settings: JudgeSettings) -> Iterator[Reason]:
    requests = evidence.errors.canary.requests
    if requests < settings.min_requests:
        yield Reason("no-data", f"{requests} canary requests so far, {settings.min_requests} are needed")
        return
    for name, metric, tolerated in _tolerances(evidence, settings):
        bound = upper_bound(metric.canary, settings.alpha / 2)
        if bound >= tolerated:
            found = f"{_describe(name, 'canary', metric.canary)}: may still be {bound:.1%}"
            yield Reason("not-enough-evidence", f"{found}, healthy is under {tolerated:.1%}")


def _tolerances(evidence: Evidence, settings: JudgeSettings) -> Iterator[tuple[str, MetricEvidence, float]]:
    """What each rate must provably stay under; never stricter than the objective, or nothing could pass."""
    yield "errors", evidence.errors, max(settings.pass_error_rate, settings.max_error_rate)
    yield "slow", evidence.slow, max(settings.pass_slow_rate, settings.max_slow_rate)


def _praise(evidence: Evidence, settings: JudgeSettings) -> tuple[Reason, ...]:
    reasons = []
    for name, metric, tolerated in _tolerances(evidence, settings):
        bound = upper_bound(metric.canary, settings.alpha / 2)
        found = f"{_describe(name, 'canary', metric.canary)}: at most {bound:.1%}"
        reasons.append(Reason("within-tolerance", f"{found}, healthy is under {tolerated:.1%}"))
    return tuple(reasons)
