"""How often the judge is wrong and how fast it is right, by simulation: `python -m benchmarks.judge`.

Ideal metrics and independent requests, 50 requests/s, canary 10 %, live fails 0.1 %: the conditions of the
published comparison that the column "reference" quotes. `--hours 10000` gives the figures of `docs/judge.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rivals import NEVER as NOT_FOUND
from benchmarks.rivals import Floats, Ints, find_flagger_rollbacks, is_high_for_kayenta
from benchmarks.vector_judge import NEVER, Looks, find_alarms, find_first
from switchover.decide.health import ALPHA_SHARES
from switchover.model import JudgeSettings

Bools = NDArray[np.bool_]

RATE = 50.0
SHARE = 0.1
LIVE_ERRORS = 0.001
LIVE_SLOW = 0.01
CHUNK = 1000
KAYENTA_HOURS = 100

# Seconds of detection at p50 and p95: the published test, a look every 5 s, alpha 1 % on one metric, no guard rails.
REFERENCE = {0.01: (95, 275), 0.05: (20, 35), 0.2: (5, 10)}

BARE_SHARES = {key: 1.0 if key == ("errors", "comparison") else 1e-300 for key in ALPHA_SHARES}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is simulated. Every function maps seconds since the start to a rate, a fraction or a share."""

    name: str
    canary_errors: Callable[[Floats], Floats]
    live_errors: Callable[[Floats], Floats]
    share: Callable[[Floats], Floats] = lambda t: np.full_like(t, SHARE)
    slow: Callable[[Floats], Floats] = lambda t: np.full_like(t, LIVE_SLOW)
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many of `hours` good hours had an alarm."""

    traffic: str
    hours: int
    judge: float
    flagger_1: float
    flagger_5: float
    kayenta: float
    kayenta_hours: int


@dataclass(frozen=True, slots=True)
class Detection:
    """Seconds from exposure to decision; None where the quantile of the runs was not detected in time."""

    judged_by: str
    canary_errors: float
    p50: float | None
    p95: float | None
    found: float


def _steady(rate: float) -> Callable[[Floats], Floats]:
    return lambda t: np.full_like(t, rate)


def _drift(t: Floats) -> Floats:
    """Between 0.1 % and 0.9 %, up and down in half an hour."""
    rate: Floats = 0.005 + 0.004 * np.sin(2.0 * math.pi * t / 1800.0)
    return rate


def _steps(t: Floats) -> Floats:
    """10 %, 50 % and 100 %, a third of an hour each."""
    share: Floats = np.array([0.1, 0.5, 1.0])[(t // 1200.0).astype(np.int64)]
    return share


GOOD = (
    Traffic("both 0.1 %", _steady(0.001), _steady(0.001)),
    Traffic("both 0.5 %", _steady(0.005), _steady(0.005)),
    Traffic("both drift, 0.1 to 0.9 %", _drift, _drift),
    Traffic("both drift, 10 > 50 > 100 %", _drift, _drift, share=_steps),
    Traffic("0.8 % and 0.64 %, margin 25 %", _steady(0.008), _steady(0.0064), margin=0.25),
)


def simulate(traffic: Traffic, rollouts: int, looks: int, seconds: float, random: np.random.Generator) -> Looks:
    """Draw counts of independent requests: Poisson arrivals, binomial failures."""
    at = (np.arange(looks) + 0.5) * seconds
    share, shape = traffic.share(at), (rollouts, looks)
    canary = random.poisson(RATE * seconds * share, shape)
    live = random.poisson(RATE * seconds * (1.0 - share), shape)
    return Looks(
        seconds,
        canary,
        live,
        random.binomial(canary, traffic.canary_errors(at)),
        random.binomial(live, traffic.live_errors(at)),
        random.binomial(canary, traffic.slow(at)),
        random.binomial(live, traffic.slow(at)),
    )


def measure_alarms(traffic: Traffic, hours: int, random: np.random.Generator) -> Alarms:
    """Count good hours with an alarm, a look every 5 s; Kayenta judges one hour of points, on fewer hours."""
    settings = JudgeSettings(margin=traffic.margin)
    judge = flagger_1 = flagger_5 = 0
    kayenta: list[bool] = []
    for start in range(0, hours, CHUNK):
        looks = simulate(traffic, min(CHUNK, hours - start), 720, 5.0, random)
        judge += int((find_first(find_alarms(looks, settings)) != NEVER).sum())
        requests, errors = _per_minute(looks.canary), _per_minute(looks.canary_errors)
        flagger_1 += int((find_flagger_rollbacks(requests, errors, 1) != NOT_FOUND).sum())
        flagger_5 += int((find_flagger_rollbacks(requests, errors, 5) != NOT_FOUND).sum())
        kayenta += _ask_kayenta(looks, KAYENTA_HOURS - len(kayenta))
    return Alarms(
        traffic.name, hours, judge / hours, flagger_1 / hours, flagger_5 / hours, float(np.mean(kayenta)), len(kayenta)
    )


def measure_detection(canary_errors: float, runs: int, random: np.random.Generator) -> list[Detection]:
    """Seconds to a decision at one error rate, for every way of judging."""
    bad = Traffic("bad", _steady(canary_errors), _steady(LIVE_ERRORS))
    horizon = 1800
    no_margin, margin = JudgeSettings(margin=0.0), JudgeSettings(margin=0.25)
    found = []
    for seconds in (5.0, 1.0):
        looks = simulate(bad, runs, int(horizon / seconds), seconds, random)
        every = f"look every {seconds:g} s"
        bare = find_alarms(looks, no_margin, BARE_SHARES, min_bad_moments=1)["errors", "comparison"]
        found.append(_summarise(f"error comparison alone, {every}", canary_errors, (bare + 1) * seconds, bare != NEVER))
        for name, settings in (("judge, margin 0", no_margin), ("judge, margin 25 %", margin)):
            first = find_first(find_alarms(looks, settings))
            found.append(_summarise(f"{name}, {every}", canary_errors, (first + 1) * seconds, first != NEVER))
    hour = simulate(bad, runs, 60, 60.0, random)
    for threshold in (1, 5):
        minute = find_flagger_rollbacks(hour.canary, hour.canary_errors, threshold)
        name = f"Flagger, 60 s, threshold {threshold}"
        found.append(_summarise(name, canary_errors, minute * 60.0, minute != NOT_FOUND))
    high = np.array(_ask_kayenta(hour, KAYENTA_HOURS))
    found.append(_summarise("Kayenta, one run of 1 h", canary_errors, np.full(high.size, 3600.0), high))
    return found


def _per_minute(counts: Ints) -> Ints:
    minutes: Ints = counts.reshape(len(counts), 60, -1).sum(axis=2)
    return minutes


def _ask_kayenta(looks: Looks, at_most: int) -> list[bool]:
    """Judge points of one minute, in percent of failed requests; a minute without requests is no point."""
    rows = zip(looks.canary, looks.canary_errors, looks.live, looks.live_errors, strict=True)
    answers = []
    for canary, canary_errors, live, live_errors in list(rows)[: max(0, at_most)]:
        points = [
            100.0 * errors[requests > 0] / requests[requests > 0]
            for requests, errors in (
                (canary.reshape(60, -1).sum(axis=1), canary_errors.reshape(60, -1).sum(axis=1)),
                (live.reshape(60, -1).sum(axis=1), live_errors.reshape(60, -1).sum(axis=1)),
            )
        ]
        answers.append(is_high_for_kayenta(*points))
    return answers


def _summarise(name: str, canary_errors: float, seconds: Floats, found: Bools) -> Detection:
    times = np.where(found, seconds, np.inf)
    p50, p95 = (float(x) for x in np.quantile(times, [0.5, 0.95], method="inverted_cdf"))
    return Detection(
        name, canary_errors, p50 if p50 < math.inf else None, p95 if p95 < math.inf else None, float(found.mean())
    )


def _print_tables(alarms: list[Alarms], detections: list[Detection], alpha: float) -> None:
    print(f"False alarms: good hours with an alarm (promised: at most {alpha:.2%})\n")
    print(f"{'traffic':<30}{'hours':>7}{'judge':>9}{'Flagger 1':>11}{'Flagger 5':>11}{'Kayenta':>9} (hours)")
    for row in alarms:
        others = f"{row.flagger_1:>11.2%}{row.flagger_5:>11.2%}{row.kayenta:>9.1%} ({row.kayenta_hours})"
        print(f"{row.traffic:<30}{row.hours:>7}{row.judge:>9.3%}{others}")
    print("\nDetection: seconds from exposure to decision, p50 / p95 (share detected)\n")
    rates = sorted(REFERENCE)
    print(f"{'judged by':<42}" + "".join(f"{f'{rate:.0%} errors':>22}" for rate in rates))
    print(f"{'reference: count e-process, every 5 s':<42}" + "".join(f"{_pair(*REFERENCE[r]):>22}" for r in rates))
    for name in dict.fromkeys(row.judged_by for row in detections):
        rows = {row.canary_errors: row for row in detections if row.judged_by == name}
        cells = [f"{_pair(rows[rate].p50, rows[rate].p95)} ({rows[rate].found:.0%})" for rate in rates]
        print(f"{name:<42}" + "".join(f"{cell:>22}" for cell in cells))


def _pair(p50: float | None, p95: float | None) -> str:
    return " / ".join("never" if x is None else f"{x:g}" for x in (p50, p95))


def main() -> None:
    """Measure and print; with `--json` as one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("--hours", type=int, default=500, help="good hours per traffic (default 500)")
    parser.add_argument("--runs", type=int, default=1000, help="bad releases per error rate (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if min(chosen.hours, chosen.runs) < 1:
        parser.error("--hours and --runs are at least 1")
    random = np.random.default_rng(chosen.seed)
    settings = JudgeSettings()
    alarms = [measure_alarms(traffic, chosen.hours, random) for traffic in GOOD]
    detections = [row for rate in sorted(REFERENCE) for row in measure_detection(rate, chosen.runs, random)]
    if chosen.json:
        rows = {"alarms": [asdict(row) for row in alarms], "detections": [asdict(row) for row in detections]}
        print(json.dumps({"settings": asdict(settings), "seed": chosen.seed, **rows}, indent=2))
    else:
        _print_tables(alarms, detections, settings.alpha)


if __name__ == "__main__":
    main()
