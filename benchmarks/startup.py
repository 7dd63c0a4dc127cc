"""How long a person waits for `switchover rollback` to start, beside bare Python and `import prefect`.

`python -m benchmarks.startup [--runs N] [--json]`
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.model import Artifact, Colour, EnvironmentRecord, Release, Route, ServiceRecord, Slot, Workload

CONFIG = """
[project]
name = "bench"
[services.shop]
path = "shop"
command = ["true"]
[environments.production]
target = "local"
"""


def main() -> None:
    """Print the medians and their ratio to bare Python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_all(prepare(Path(folder)), options.runs)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    bare = figures["bare python"]
    for name, seconds in figures.items():
        print(f"{name:<46}{seconds * 1000:8.0f} ms{seconds / bare:8.1f} x")


def prepare(folder: Path) -> Path:
    """A project whose ledger says that 1.0.0 is live: rolling back to it is a whole command with nothing to do."""
    (folder / "switchover.toml").write_text(CONFIG, encoding="utf-8")
    state = folder / ".switchover" / "production"
    release = Release("shop", "1.0.0", Artifact("shop", "1.0.0", "service", "sha256:" + "0" * 64, 1), "0" * 40)
    slot = Slot(release, Workload(("true",), 1, "/healthz"))
    service = ServiceRecord(live=Colour.BLUE, blue=slot, route=Route(100, 0))
    ledger = SqliteLedger(state / "ledger.db", "production", EnvironmentLock(state / "environment.lock"))
    ledger.write(EnvironmentRecord("production", services={"shop": service}))
    return folder


def measure_all(project: Path, runs: int) -> dict[str, float]:
    """Seconds (median of `runs`) per command, one after the other so that noise meets all of them."""
    config = str(project / "switchover.toml")
    rollback = ("-m", "switchover.cli.main", "rollback", "shop", "1.0.0")
    commands = {
        "bare python": (sys.executable, "-c", "pass"),
        "switchover rollback --help": (sys.executable, "-m", "switchover.cli.main", "rollback", "--help"),
        "switchover rollback shop 1.0.0 (nothing to do)": (sys.executable, *rollback, "--dry-run", "--config", config),
        "python -c 'import prefect'": (sys.executable, "-c", "import prefect"),
        "python -c 'from prefect import flow'": (sys.executable, "-c", "from prefect import flow"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=project)
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
