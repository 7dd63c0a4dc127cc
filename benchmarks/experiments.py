"""How often the judge of experiments is wrong under constant looks: `python -m benchmarks.experiments`.

Each run is one experiment that is looked at again and again, from its 20th unit to its last. The peer is the z-test
of two proportions: at the last look, for which it is made, and at every look, as it is often used. `--runs 2000`
gives the figures of `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from switchover.flags.experiments import judge_experiment
from switchover.flags.records import ExperimentData, VariantData
from switchover.flags.results import Comparison, Results, Verdict

Floats = NDArray[np.float64]

ALPHA = 0.05
LOOKS = 60
FIRST_LOOK = 20
WEIGHTS = {"A": 50, "B": 50}


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated: the rate of A over the course of the experiment (0 to 1), and how many times that B's is.

    `delay` is the mean time to a conversion in parts of the experiment; `share` the real share of B, whatever the
    weights say; `spread` the sigma of the log-normal value of a conversion.
    """

    name: str
    rate: Callable[[Floats], Floats]
    ratio: float = 1.0
    delay: float = 0.0
    share: float = 0.5
    spread: float = 1.0
    is_steady: bool = True


def steady(rate: float) -> Callable[[Floats], Floats]:
    """The same rate all the time."""
    return lambda time: np.full_like(time, rate)


WORLDS = (
    World("no difference, 1 %", steady(0.01)),
    World("no difference, 10 %", steady(0.10)),
    World("no difference, 50 %", steady(0.50)),
    World("no difference, 2 to 18 % by season", lambda time: 0.1 + 0.08 * np.sin(12.0 * time), is_steady=False),
    World("no difference, 10 %, late", steady(0.10), delay=0.3, is_steady=False),
    World("B 20 % better, 10 %", steady(0.10), ratio=1.2),
    World("B 20 % better, 10 %, late", steady(0.10), ratio=1.2, delay=0.3, is_steady=False),
    World("B 20 % better, 40 %", steady(0.40), ratio=1.2),
    World("no difference, split 53 to 47", steady(0.10), share=0.53),
)


@dataclass(frozen=True, slots=True)
class Row:
    """Fractions of the runs, but for `units` (median until decided), and widths of the last look, ours by the z-test's.

    `missed` are the runs in which the interval of the ratio, the difference or the means of the values (asymptotic)
    did not hold the truth at some look; None where a rate changes over time, so that there is no one truth.
    """

    world: str
    runs: int
    decided: float
    z_at_the_end: float
    z_at_every_look: float
    mismatch: float
    missed_ratio: float
    missed_difference: float | None
    missed_mean: float | None
    units: float | None
    width: float


@dataclass(frozen=True, slots=True)
class Look:
    """One look: our results, and the z-test's p-value and width."""

    results: Results
    z_p: float
    z_width: float


def measure(world: World, runs: int, units: int, random: np.random.Generator) -> Row:
    """Simulate `runs` experiments of `units` units each."""
    looks = [list(_look_on(world, units, random)) for _ in range(runs)]
    decided = [_decided_at(run) for run in looks]
    found = [at for at in decided if at is not None]
    gap = _true_gap(world)
    value = math.exp(world.spread**2 / 2)
    widths = [_width(_compared(run[-1])) / run[-1].z_width for run in looks if run[-1].z_width]
    return Row(
        world=world.name,
        runs=runs,
        decided=len(found) / runs,
        z_at_the_end=_part(run[-1].z_p <= ALPHA for run in looks),
        z_at_every_look=_part(any(look.z_p <= ALPHA for look in run) for run in looks),
        mismatch=_part(any(look.results.verdict is Verdict.MISMATCH for look in run) for run in looks),
        missed_ratio=_part(any(world.ratio not in _compared(look).ratio_interval for look in run) for run in looks),
        missed_difference=_part(any(gap not in _compared(look).difference_interval for look in run) for run in looks)
        if world.is_steady
        else None,
        missed_mean=_part(any(_misses_mean(_compared(look), gap * value) for look in run) for run in looks)
        if world.is_steady
        else None,
        units=float(np.median(found)) if found else None,
        width=float(np.median(widths)),
    )


def _look_on(world: World, units: int, random: np.random.Generator) -> Iterator[Look]:
    time = np.arange(1, units + 1) / units
    is_b = random.random(units) < world.share
    converts = random.random(units) < world.rate(time) * np.where(is_b, world.ratio, 1.0)
    late = random.exponential(world.delay, units) if world.delay else np.zeros(units)
    value = random.lognormal(0.0, world.spread, units)
    for seen in np.unique(np.geomspace(FIRST_LOOK, units, LOOKS).astype(int)):
        known = converts[:seen] & (time[:seen] + late[:seen] <= time[seen - 1])
        variants = {name: _summed(value[:seen], known, is_b[:seen] == (name == "B")) for name in WEIGHTS}
        data = ExperimentData("flag", "purchase", variants, valued=True)
        yield Look(judge_experiment(data, alpha=ALPHA, weights=WEIGHTS), *_z_test(variants["A"], variants["B"]))


def _summed(value: Floats, known: NDArray[np.bool_], mine: NDArray[np.bool_]) -> VariantData:
    values = value[known & mine]
    return VariantData(int(mine.sum()), len(values), float(values.sum()), float((values**2).sum()))


def _z_test(first: VariantData, second: VariantData) -> tuple[float, float]:
    if not first.units or not second.units:
        return 1.0, 0.0
    rates = first.converted / first.units, second.converted / second.units
    pooled = (first.converted + second.converted) / (first.units + second.units)
    error = math.sqrt(pooled * (1 - pooled) * (1 / first.units + 1 / second.units))
    apart = math.sqrt(rates[0] * (1 - rates[0]) / first.units + rates[1] * (1 - rates[1]) / second.units)
    return (math.erfc(abs(rates[1] - rates[0]) / error / math.sqrt(2)) if error else 1.0), 2 * 1.96 * apart


def _compared(look: Look) -> Comparison:
    return look.results.comparisons[0]


def _decided_at(run: list[Look]) -> int | None:
    for look in run:
        if _compared(look).p_value <= ALPHA:
            return sum(variant.units for variant in look.results.variants)
    return None


def _true_gap(world: World) -> float:
    return float(world.rate(np.zeros(1))[0]) * (world.ratio - 1.0)


def _width(comparison: Comparison) -> float:
    return comparison.difference_interval.high - comparison.difference_interval.low


def _misses_mean(comparison: Comparison, truth: float) -> bool:
    interval = comparison.mean_difference_interval
    return interval is not None and truth not in interval


def _part(truths: Iterator[bool]) -> float:
    return float(np.mean(list(truths)))


def _print_table(rows: list[Row], units: int) -> None:
    print(f"{LOOKS} looks, {units} units, alpha {ALPHA:.0%}; decided at any look, against the z-test\n")
    heads = ("decided", "z at end", "z peeking", "mismatch", "ratio missed", "diff. missed", "mean missed")
    print(f"{'':<36}" + "".join(f"{head:>14}" for head in (*heads, "units", "width / z")))
    for row in rows:
        parts = (row.decided, row.z_at_the_end, row.z_at_every_look, row.mismatch, row.missed_ratio)
        more = (row.missed_difference, row.missed_mean)
        cells = [f"{part:.1%}" if part is not None else "-" for part in (*parts, *more)]
        cells += [f"{row.units:.0f}" if row.units is not None else "-", f"{row.width:.2f}"]
        print(f"{row.world:<36}" + "".join(f"{cell:>14}" for cell in cells))


def main() -> None:
    """Measure and print; with `--json` as one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="experiments per world (default 50)")
    parser.add_argument("--units", type=int, default=10_000, help="units per experiment (default 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.runs < 1 or chosen.units < 2 * FIRST_LOOK:
        parser.error(f"--runs is at least 1, --units at least {2 * FIRST_LOOK}")
    random = np.random.default_rng(chosen.seed)
    rows = [measure(world, chosen.runs, chosen.units, random) for world in WORLDS]
    if chosen.json:
        print(json.dumps({"seed": chosen.seed, "units": chosen.units, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        _print_table(rows, chosen.units)


if __name__ == "__main__":
    main()
