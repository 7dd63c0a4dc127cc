"""The benchmark of evaluations asks every system the same: it refuses to measure one that serves other shares."""

from __future__ import annotations

import pytest

from benchmarks.flags_evaluation import CASES, measure, print_table


def test_every_system_is_measured_in_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    timings = measure(1000)
    systems = {row.system for row in timings}
    assert {(row.system, row.case) for row in timings} == {(system, case) for system in systems for case in CASES}
    assert {"switchover, client", "flagd-core", "GrowthBook", "LaunchDarkly SDK"} <= systems
    assert all(row.per_second > 0 for row in timings)
    print_table(timings)
    assert capsys.readouterr().out.count("switchover, client") == len(CASES)
