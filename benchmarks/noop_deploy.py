"""What a whole deployment costs that has nothing to do, beside a flow with the same number of empty tasks.

`python -m benchmarks.noop_deploy [--runs N] [--json]`. Starts a Prefect server of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from switchover.adapters.connect import open_local
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.config import load_config
from switchover.demo.children import Crew
from switchover.demo.prefect_server import PrefectServer, choose_port, isolate
from switchover.model import Colour, EnvironmentRecord, Release, Route, ServiceRecord, Slot

CONFIG = """
[project]
name = "bench"
[services.shop]
path = "shop"
command = ["sleep", "600"]
[environments.production]
target = "local"
"""
TASKS_OF_A_NOOP = 2  # plan, show-plan


def main() -> None:
    """Start a server, measure in a process that belongs to it, end both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(Path(options.measure), options.runs)))
        return
    figures = measure_on_own_server(options.runs)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<40}{value:10.3f}")


def measure_on_own_server(runs: int) -> dict[str, float]:
    """Seconds (medians) and their ratio."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        port = choose_port()
        environ = isolate(os.environ, folder / "prefect", port) | {"PREFECT_LOGGING_LEVEL": "ERROR"}
        logs = folder / "logs"
        logs.mkdir()
        (folder / "prefect").mkdir()
        crew = Crew.of(folder, Path.cwd(), environ, logs)
        server = PrefectServer(crew, folder / "prefect", port)
        try:
            server.start()
            prepare(folder)
            server.wait_ready()
            command = (sys.executable, "-m", "benchmarks.noop_deploy", "--measure", text, "--runs", str(runs))
            ended = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
            figures: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
            return figures
        finally:
            open_local(load_config(folder), "production").target.stop_environment()
            server.stop()


def prepare(folder: Path) -> None:
    """1.0.0 is released, and live by the ledger's word."""
    (folder / "switchover.toml").write_text(CONFIG, encoding="utf-8")
    config = load_config(folder)
    archive = folder / "shop.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "switchover.toml", "switchover.toml")
    store = FolderArtifacts(config.artifacts_folder())
    release = Release("shop", "1.0.0", store.put("shop", "1.0.0", "service", archive), "0" * 40)
    store.publish(release)
    slot = Slot(release, config.workload("production", "shop"))
    service = ServiceRecord(live=Colour.BLUE, blue=slot, route=Route(100, 0))
    local = open_local(config, "production")
    local.ports.ledger.write(EnvironmentRecord("production", services={"shop": service}))
    local.ensure_running()


def measure(folder: Path, runs: int) -> dict[str, float]:
    """Alternate the two, so that noise meets both."""
    # Prefect reads its settings when it is first imported: this process was started with the server's.
    from prefect import flow, task  # noqa: PLC0415

    from flows.deploy import deploy  # noqa: PLC0415
    from switchover.decide.deployment import Action, DeployPlan  # noqa: PLC0415

    @task
    def nothing() -> None:
        """Do nothing."""

    @flow
    def empty() -> None:
        for _ in range(TASKS_OF_A_NOOP):
            nothing()

    taken: dict[str, list[float]] = {"empty": [], "deploy": []}
    for _ in range(runs):
        began = time.perf_counter()
        empty()
        taken["empty"].append(time.perf_counter() - began)
        began = time.perf_counter()
        plan = deploy("shop", "1.0.0", "production", config=str(folder / "switchover.toml"))
        taken["deploy"].append(time.perf_counter() - began)
        if not isinstance(plan, DeployPlan) or plan.action is not Action.NOTHING:
            msg = "the deployment was meant to have nothing to do"
            raise ValueError(msg)
    empty_seconds, deploy_seconds = (statistics.median(taken[name]) for name in ("empty", "deploy"))
    return {
        "flow with two empty tasks, s": empty_seconds,
        "deployment with nothing to do, s": deploy_seconds,
        "ratio": deploy_seconds / empty_seconds,
    }


if __name__ == "__main__":
    main()
