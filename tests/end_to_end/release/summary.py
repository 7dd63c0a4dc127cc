"""Prints what `make release-e2e` measured: `python -m tests.end_to_end.release.summary FILE`.

A matrix of many cells becomes one line with their number, and the median and the most of their seconds.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

CELL = ": "
"""Stands in the scenario of a cell between the matrix and what is special in the cell."""


def summarise(noted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured, each matrix in one."""
    single = [each for each in noted if CELL not in each["scenario"]]
    matrices: dict[str, list[float]] = {}
    for each in noted:
        matrix, separator, _ = each["scenario"].partition(CELL)
        if separator:
            matrices.setdefault(matrix, []).append(each["seconds"])
    return single + [
        {
            "scenario": matrix,
            "cells": len(seconds),
            "median_seconds": round(statistics.median(seconds), 1),
            "most_seconds": round(max(seconds), 1),
        }
        for matrix, seconds in sorted(matrices.items())
    ]


def main() -> None:
    noted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write("[\n" + ",\n".join(json.dumps(each) for each in summarise(noted)) + "\n]\n")


if __name__ == "__main__":
    main()
