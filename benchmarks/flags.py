"""Feature flags beside other systems, and what faults do to them, held to their targets: `python -m benchmarks.flags`.

Every section is a module of its own (`benchmarks.flags_*`); all are run one after the other, so that the ratios are of
one run on one machine. Rows without a target are there to read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import flags_evaluation


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `most` or `least` is what it is held to."""

    what: str
    found: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target was met; empty where there is none."""
        if self.most is None and self.least is None:
            return ""
        met = (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)
        return "met" if met else "MISSED"


def main() -> None:
    """Measure and print; with `--json` as one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flags", description=__doc__)
    parser.add_argument("--evaluations", type=int, default=50_000, help="calls per system and case (default 50000)")
    parser.add_argument(
        "--leak", type=int, default=10_000_000, help="evaluations of the memory test (default 10 million)"
    )
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.evaluations < flags_evaluation.USERS:
        parser.error(f"--evaluations is at least {flags_evaluation.USERS}")
    timings = flags_evaluation.measure(chosen.evaluations)
    if not chosen.json:
        flags_evaluation.print_table(timings)
    sections = {
        "openfeature": _run("flags_openfeature", "--evaluations", str(chosen.evaluations)),
        "propagation": _run("flags_propagation"),
        "faults": _run("flags_faults", "--evaluations", str(chosen.evaluations), "--leak", str(chosen.leak)),
    }
    rows = [
        *_evaluation(timings),
        *_openfeature(sections["openfeature"]),
        *_propagation(sections["propagation"]),
        *_faults(sections["faults"]),
    ]
    if chosen.json:
        everything = {"rows": [asdict(row) | {"verdict": row.verdict} for row in rows], "sections": sections}
        print(json.dumps(everything | {"evaluation": [asdict(timing) for timing in timings]}, indent=2))
        return
    print(f"\n{'what':<66}{'found':>10}  {'':<12}{'target':>10}")
    for row in rows:
        target = f"<= {row.most:g}" if row.most is not None else f">= {row.least:g}" if row.least is not None else ""
        print(f"{row.what:<66}{row.found:>10.3f}  {row.unit:<12}{target:>10}  {row.verdict}")


def _run(module: str, *words: str) -> Any:
    command = (sys.executable, "-m", f"benchmarks.{module}", *words, "--json")
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _evaluation(timings: list[flags_evaluation.Timing]) -> Iterator[Row]:
    found = {(timing.system, timing.case): timing.p50 for timing in timings}
    static, targeted = "static", "targeted"
    ours = {case: found["switchover, client", case] for case in (static, targeted)}
    yield Row("client, static flag, p50", ours[static], "us", most=0.3)
    yield Row("client, 10 targeted users else 25 %, p50", ours[targeted], "us", most=0.8)
    for peer, least in (("LaunchDarkly SDK", 20), ("GrowthBook", 10), ("flagd-core", None)):
        for case in (static, targeted):
            yield Row(f"times faster than {peer}, {case}", found[peer, case] / ours[case], "x", least=least)
    yield Row("50 flags at once, p50", flags_evaluation.measure_bulk(), "us", most=30)


def _openfeature(found: Any) -> Iterator[Row]:
    for flag, systems in found.items():
        ours = systems["switchover"]
        yield Row(f"OpenFeature, {flag}: above the SDK's floor", ours["p50_over_floor"], "us", most=1.5)
        yield Row(f"OpenFeature, {flag}: times faster than flagd", ours["flagd_p50_ratio"], "x", least=2)


def _propagation(found: Any) -> Iterator[Row]:
    written, returned, lost, hung, killed = found.values()
    yield Row("change in Redis to seen elsewhere, from the call of write, p50", written["p50"], "ms")
    yield Row("the same, p99", written["p99"], "ms", most=10)
    yield Row("the same, from the return of write, p50", returned["p50"], "ms", most=1)
    yield Row("a lost message is made up for, slowest", lost["max"] / 1000, "s", most=1)
    yield Row("Redis hung: STALE after, slowest", hung["max"] / 1000, "s", most=1)
    yield Row("Redis killed: STALE after", killed["max"] / 1000, "s", most=1)


def _faults(found: Any) -> Iterator[Row]:
    calm = found["calm"]["p99_us"]
    for name, figures in found.items():
        if "p99_us" in figures:
            yield Row(f"{name}: errors in {figures['evaluations']:,} evaluations", figures["errors"], "", most=0)
            yield Row(f"{name}: answers that changed", figures["changed_answers"], "", most=0)
            yield Row(f"{name}: p99 to that of the calm run", figures["p99_us"] / calm, "x")
    cold, forked, memory = (found[name] for name in ("cold start, Redis down", "forked workers", "memory"))
    yield Row("import switchover.flags, p50", cold["import_ms_p50"], "ms", most=100)
    yield Row(
        "cold start, Redis down: open and first real value, p50", cold["open_and_first_answer_ms_p50"], "ms", most=50
    )
    for name, figures in found.items():
        if name.startswith("cold start") and name.endswith("flags"):
            yield Row(f"{name}, p50", figures["open_and_first_answer_ms_p50"], "ms")
    yield Row("forked workers: the slowest of 8 sees a kill after", forked["slowest_seconds"], "s", most=1)
    yield Row(f"memory grown over {memory['evaluations']:,} evaluations", memory["grown_mb"], "MB", most=1)


if __name__ == "__main__":
    main()
