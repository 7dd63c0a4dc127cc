"""Every figure of docs/benchmarks.md, one benchmark after the other.

`python -m benchmarks.run [--quick]` writes a JSON file each into `benchmarks/output/` and prints their tables.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent / "output"


def main() -> None:
    """Run them all; a benchmark that fails ends the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that they run")
    quick = parser.parse_args().quick
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "machine.json").write_text(
        json.dumps({"python": platform.python_version(), "machine": platform.platform()})
    )
    commands = {
        "startup": ("benchmarks.startup", "--runs", "3" if quick else "15"),
        "noop_deploy": ("benchmarks.noop_deploy", "--runs", "3" if quick else "15"),
        "planning": ("benchmarks.planning", "--runs", "3" if quick else "15"),
        "flags": (
            "benchmarks.flags",
            *(("--evaluations", "5000", "--leak", "200000") if quick else ()),
        ),
        "experiments": ("benchmarks.experiments", "--runs", "20" if quick else "300"),
        "judge": ("benchmarks.judge", "--hours", "200" if quick else "10000"),
        "demo": (
            "switchover.cli.main",
            "demo",
            "--repeat-bad",
            "1" if quick else "5",
            "--output",
            str(OUTPUT / "demo"),
        ),
    }
    for name, command in commands.items():
        print(f"\n== {name}: python -m {' '.join(command)} --json", flush=True)
        ended = subprocess.run(
            (sys.executable, "-m", *command, "--json"), stdout=subprocess.PIPE, text=True, check=True
        )
        (OUTPUT / f"{name}.json").write_text(ended.stdout, encoding="utf-8")
        print(ended.stdout, flush=True)


if __name__ == "__main__":
    main()
