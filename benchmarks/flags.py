"""Feature flags beside other systems, in one run: `python -m benchmarks.flags`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from benchmarks import flags_evaluation


def main() -> None:
    """Measure and print; with `--json` as one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flags", description=__doc__)
    parser.add_argument("--evaluations", type=int, default=50_000, help="calls per system and case (default 50000)")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.evaluations < 1:
        parser.error("--evaluations is at least 1")
    evaluation = flags_evaluation.measure(chosen.evaluations)
    if chosen.json:
        print(json.dumps({"evaluation": [asdict(row) for row in evaluation]}, indent=2))
    else:
        flags_evaluation.print_table(evaluation)


if __name__ == "__main__":
    main()
