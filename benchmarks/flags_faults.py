"""What evaluations notice when Redis fails, how forked workers follow, and whether memory stays flat.

`python -m benchmarks.flags_faults [--evaluations N] [--leak N] [--json]`

Each fault happens while `--evaluations` are under way, in bursts over about two seconds, beside a calm run of the same
bursts. Seconds are measured from the moment of the fault or of its end.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil

from switchover.flags import (
    Client,
    Context,
    Reason,
    all_of,
    any_of,
    build_targeting,
    for_users,
    open_client,
    percentage,
)
from switchover.flags.changes import kill, new_flag
from switchover.flags.last_known_good import LastKnownGood
from switchover.flags.redis_form import StoredSet
from switchover.flags.redis_place import read_redis_place
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Json, Note, Snapshot
from switchover.flags.status import State
from tests.real_parts.redis_server import NEW, RedisServer, redis_server

_NOTE = Note("benchmark", "to measure", "set")
_BURSTS = 100
_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 20.0
_LARGE = (1_000, 10_000)
_CONTEXTS = [Context(f"user-{number}", {"groups": ["beta-testers"]}) for number in range(1000)]


@dataclass(frozen=True, slots=True)
class Faced:
    """What a fault did to the evaluations: microseconds, counts, and seconds (None: does not apply)."""

    evaluations: int
    p50_us: float
    p99_us: float
    errors: int
    changed_answers: int
    stale_after_seconds: float | None = None
    healed_after_seconds: float | None = None


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=50_000)
    parser.add_argument("--leak", type=int, default=10_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.evaluations, options.leak)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, found in figures.items():
        print(name)
        for what, value in found.items():
            print(f"    {what:<30}{value if isinstance(value, int) or value is None else f'{value:.4f}'}")


def measure(evaluations: int, leak: int) -> dict[str, dict[str, Any]]:
    """All of it, against one kind of server."""
    with tempfile.TemporaryDirectory() as folder, redis_server(NEW) as server:
        place, kept = server.place("faults"), Path(folder) / "kept.json"
        _fill(place)
        with open_client(place, last_known_good=kept, wait_seconds=10) as client:
            figures = {name: asdict(found) for name, found in _face_all(server, client, evaluations)}
        server.kill()
        figures["cold start, Redis down"] = _start_cold(place, kept)
        for count in _LARGE:
            figures[f"cold start, Redis down, {count:,} flags"] = _start_cold_with(count, place, Path(folder))
        server.start()
        _fill(place)
        figures["forked workers"] = _fork(place)
        figures["memory"] = _watch_memory(place, leak)
    return figures


def _fill(place: str) -> None:
    store = RedisStore(place)
    store.write(store.read(), {"flags/checkout": _targeted(), "flags/plain": new_flag(default="on")}, _NOTE)


def _targeted() -> Json:
    rule = any_of(for_users("ann", "bob"), all_of(for_users("eve"), percentage(50)), percentage(25))
    return {**new_flag(default="off"), "targeting": build_targeting(rule)}


def _face_all(server: RedisServer, client: Client, evaluations: int) -> list[tuple[str, Faced]]:
    def nothing() -> None:
        """The calm run."""

    def fill() -> None:
        _fill(server.place("faults"))

    return [
        ("calm", _face(client, evaluations, nothing, None)),
        ("hung (SIGSTOP)", _face(client, evaluations, server.hang, server.go_on)),
        ("killed (SIGKILL), started again empty", _face(client, evaluations, server.restart, None)),
        ("empty, then filled again", _face(client, evaluations, nothing, fill)),
    ]


def _face(client: Client, evaluations: int, fault: Callable[[], None], mend: Callable[[], None] | None) -> Faced:
    before = [client.is_enabled("checkout", context) for context in _CONTEXTS]
    taken: list[int] = []
    errors = 0
    began = stale = None
    for burst in range(_BURSTS):
        if burst == _BURSTS // 10:
            began = time.monotonic()
            fault()
        errors += _burst(client, evaluations // _BURSTS, taken)
        if began and stale is None and client.status.state is State.STALE:
            stale = time.monotonic() - began
        time.sleep(_PAUSE_SECONDS)
    changed = sum(client.is_enabled("checkout", each) is not old for each, old in zip(_CONTEXTS, before, strict=True))
    healed = _mend(client, mend) if mend else None
    cuts = statistics.quantiles(taken, n=100)
    return Faced(len(taken), cuts[49] / 1000, cuts[98] / 1000, errors, changed, stale, healed)


def _burst(client: Client, count: int, taken: list[int]) -> int:
    errors = 0
    for number in range(count):
        context = _CONTEXTS[number % len(_CONTEXTS)]
        began = time.perf_counter_ns()
        detail = client.is_enabled_detail("checkout", context)
        taken.append(time.perf_counter_ns() - began)
        errors += detail.reason is Reason.ERROR
    return errors


def _mend(client: Client, mend: Callable[[], None]) -> float | None:
    """The seconds until the client is READY again; None when it never was within 20 s."""
    began = time.monotonic()
    mend()
    while client.status.state is not State.READY:
        if time.monotonic() - began > _PATIENCE_SECONDS:
            return None
        time.sleep(0.001)
    return time.monotonic() - began


_COLD = """
import sys, time
began = time.perf_counter()
from switchover.flags import open_client, Context
imported = time.perf_counter()
from pathlib import Path
client = open_client(sys.argv[1], last_known_good=Path(sys.argv[2]))
on = client.is_enabled("plain")
ended = time.perf_counter()
print(int(on), (imported - began) * 1000, (ended - imported) * 1000)
client.close()
"""


def _start_cold(place: str, kept: Path) -> dict[str, Any]:
    runs = []
    for _ in range(9):
        ended = subprocess.run(
            [sys.executable, "-c", _COLD, place, str(kept)], check=True, capture_output=True, text=True
        )
        runs.append([float(word) for word in ended.stdout.split()])
    return {
        "real_values": int(sum(run[0] for run in runs)),
        "of_runs": len(runs),
        "import_ms_p50": statistics.median(run[1] for run in runs),
        "open_and_first_answer_ms_p50": statistics.median(run[2] for run in runs),
        "open_and_first_answer_ms_max": max(run[2] for run in runs),
    }


def _start_cold_with(count: int, place: str, folder: Path) -> dict[str, Any]:
    """The same with so many flags, each of 560 bytes of JSON."""
    kept = folder / f"kept-{count}.json"
    parts = {f"flags/flag-{number}": _targeted() for number in range(count)} | {"flags/plain": new_flag(default="on")}
    name = read_redis_place(place).set_name
    if not LastKnownGood(kept, name).write(StoredSet(Snapshot(1, "benchmark", parts), "benchmark")):
        raise RuntimeError(str(kept))
    return _start_cold(place, kept)


def _fork(place: str) -> dict[str, Any]:
    """Seconds from a kill until each of eight forked processes serves it."""
    fork = multiprocessing.get_context("fork")
    seen, ready = fork.Queue(), fork.Event()
    with open_client(place, last_known_good=None, wait_seconds=10) as client:
        workers = [fork.Process(target=_work, args=(client, seen, ready)) for _ in range(8)]
        for worker in workers:
            worker.start()
        time.sleep(1.5)
        store = RedisStore(place)
        now = store.read()
        began = time.monotonic()
        store.write(now, {"flags/plain": kill(new_flag(default="on"))}, _NOTE)
        arrived = sorted(seen.get(timeout=_PATIENCE_SECONDS) - began for _ in workers)
        ready.set()
        for worker in workers:
            worker.join(_PATIENCE_SECONDS)
    return {"workers": len(arrived), "p50_seconds": statistics.median(arrived), "slowest_seconds": arrived[-1]}


def _work(client: Client, seen: Any, ready: Event) -> None:
    while client.is_enabled("plain"):
        time.sleep(0.0005)
    seen.put(time.monotonic())
    ready.wait(_PATIENCE_SECONDS)
    os._exit(0)


def _watch_memory(place: str, evaluations: int) -> dict[str, Any]:
    """Resident megabytes before and after; a first hundred thousand warm up."""
    with open_client(place, last_known_good=None, wait_seconds=10) as client:
        sizes = []
        for count in (100_000, evaluations):
            for number in range(count):
                client.is_enabled("checkout", _CONTEXTS[number % 1000])
            gc.collect()
            sizes.append(psutil.Process().memory_info().rss / 1e6)
    return {"evaluations": evaluations, "before_mb": sizes[0], "after_mb": sizes[1], "grown_mb": sizes[1] - sizes[0]}


if __name__ == "__main__":
    main()
