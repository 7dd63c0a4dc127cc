"""Run a command in a real Kubernetes cluster that is made for it: `python -m tests.cluster.run -- COMMAND…`.

The cluster is, in this order: the one of `SWITCHOVER_TEST_KUBECONFIG`; one of the programs on the PATH or in
`KUBEBUILDER_ASSETS`; one of programs built here with Go and kept in the cache. Where none is possible the command
is not run: that is said, and the exit status is 0, or 1 where `CI` is `true`.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from switchover.errors import MissingProgramError, SwitchoverError
from tests.cluster import control, namespaces, parts, possible, run_folder
from tests.cluster.cache import say
from tests.cluster.command import run_command

KUBECONFIG = "SWITCHOVER_TEST_KUBECONFIG"
FACTS = "SWITCHOVER_TEST_CLUSTER"


def main() -> int:
    """Do what the arguments say; the command's exit status, or 1 when the cluster fails."""
    arguments = _arguments()
    try:
        if arguments.inside:
            return namespaces.as_first_process(lambda: _inside(arguments.inside, arguments.command))
        if arguments.enter:
            folder = run_folder.running() if arguments.enter == run_folder.NEWEST else arguments.enter
            return run_command(run_folder.enter(folder, arguments.command), _environment(folder))
        if os.environ.get(KUBECONFIG):
            return run_command(arguments.command, os.environ)
        return _outside(arguments.command, arguments.logs)
    except SwitchoverError as error:
        say(str(error))
        return error.exit_status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--enter",
        nargs="?",
        type=Path,
        const=run_folder.NEWEST,
        metavar="FOLDER",
        help="run the command in a cluster that is up: the newest, or the one of this run folder",
    )
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the logs of the cluster's parts there")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+", help="what to run, after --")
    return parser.parse_args()


def _outside(command: Sequence[str], keep_logs: Path | None) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        possible.check()
        parts.prepare()
    except MissingProgramError as error:
        say(f"NO CLUSTER, SO NOTHING WAS RUN: {error}")
        return 1 if os.environ.get("CI") == "true" else 0
    say(f"programs at hand after {time.monotonic() - began:.1f} s")
    run_folder.remove_stale()
    with run_folder.made(keep_logs) as folder:
        return run_folder.hold(namespaces.spawn(["--inside", str(folder), "--", *command]), folder)


def _inside(folder: Path, command: Sequence[str]) -> int:
    began = time.monotonic()
    namespaces.furnish(folder)
    logs = folder / run_folder.LOGS
    logs.mkdir()
    cluster, facts = parts.bring_up(parts.prepare(), folder, logs, run_folder.cgroup(folder))
    socket = folder / "control.sock"
    control.serve(
        socket, {"start": cluster.start, "stop": cluster.stop, "kill": cluster.kill, "restart": cluster.restart}
    )
    (folder / run_folder.FACTS).write_text(json.dumps({**facts, "control_socket": str(socket)}, indent=1))
    say(f"up after {time.monotonic() - began:.1f} s\n{cluster.table()}")
    return run_command(command, _environment(folder))


def _environment(folder: Path) -> dict[str, str]:
    facts = folder / run_folder.FACTS
    kubeconfig = json.loads(facts.read_text())["kubeconfig"]
    # Nothing outside can be reached, a proxy neither.
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    path = os.pathsep.join([str(Path(sys.executable).parent), ours.get("PATH", os.defpath)])
    return {**ours, "PATH": path, "KUBECONFIG": kubeconfig, KUBECONFIG: kubeconfig, FACTS: str(facts)}


if __name__ == "__main__":
    sys.exit(main())
