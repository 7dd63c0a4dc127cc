"""The benchmark of the OpenFeature provider: that it runs, and that what it compares does the same work."""

from __future__ import annotations

from pathlib import Path

from benchmarks.flags_openfeature import DOCUMENT, SYSTEMS, measure_all


def test_it_measures_each_flag_through_each_provider_with_the_same_answers(tmp_path: Path) -> None:
    figures = measure_all(tmp_path, evaluations=200)
    assert set(figures) == {*DOCUMENT["flags"], "static, awaited"}
    for systems in figures.values():
        assert set(systems) == set(SYSTEMS)
        assert systems["in memory"]["p50_over_floor"] == 0
        assert systems["flagd"]["flagd_p50_ratio"] == 1
        assert all(figure["p99"] >= figure["p50"] > 0 for figure in systems.values())
