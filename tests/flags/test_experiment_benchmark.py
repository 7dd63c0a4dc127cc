"""The simulation of the benchmark runs, and shows what it is there to show."""

from __future__ import annotations

import numpy as np

from benchmarks.experiments import WORLDS, measure


def test_the_judge_is_right_where_a_z_test_that_is_looked_at_all_the_time_is_not() -> None:
    row = measure(WORLDS[1], 15, 2000, np.random.default_rng(5))
    assert row.world == "no difference, 10 %"
    assert row.decided <= 0.2
    assert row.z_at_every_look >= row.decided
    assert row.z_at_every_look >= row.z_at_the_end
    assert 1.3 < row.width < 3.0


def test_a_split_that_is_off_is_found() -> None:
    row = measure(WORLDS[-1], 5, 10_000, np.random.default_rng(5))
    assert row.mismatch == 1.0
