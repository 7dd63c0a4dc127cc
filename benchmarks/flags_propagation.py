"""How long a change of a set in Redis takes until another process answers by it, and a dead server until it is said.

`python -m benchmarks.flags_propagation [--seconds N] [--rate N] [--version 6.2|7.0|8.2] [--json]`
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping

from switchover.flags.client import Client
from switchover.flags.events import Event, EventKind
from switchover.flags.redis_feed import RedisFeed
from switchover.flags.redis_form import keys_of
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Json, Note, Snapshot
from switchover.flags.status import State
from tests.real_parts.redis_server import NEW, VERSIONS, RedisServer, redis_server, wait_for

Figures = Mapping[str, Mapping[str, float]]
_FLAGS = 50
_REPEATS = 7


def main() -> None:
    """Print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=200, help="changes a second")
    parser.add_argument("--version", choices=VERSIONS, default=NEW)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write-to", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_to:
        write(options.write_to, options.rate, round(options.seconds * options.rate))
        return
    with redis_server(options.version, port=True) as server:
        figures = measure(server, options.rate, options.seconds)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, row in figures.items():
        print(f"{name:<64}" + "".join(f"{key} {value:8.2f} ms   " for key, value in row.items()))


def measure(server: RedisServer, rate: int, seconds: float) -> Figures:
    """All figures on one server."""
    place = f"redis://127.0.0.1:{server.port}/0?set=bench"
    store = RedisStore(place)
    store.write(Snapshot(), {f"flags/f{number}": flag(number) for number in range(_FLAGS)}, Note("b", "", "import"))
    with Client(RedisFeed(place, last_known_good=None)) as client:
        wait_for(lambda: client.status.state is State.READY)
        figures = dict(measure_propagation(client, place, rate, seconds))
        figures["lost message -> answered by"] = summary([lose_message(client, server, store) for _ in range(_REPEATS)])
        figures["server hung (SIGSTOP) -> STALE"] = summary([hang(client, server) for _ in range(_REPEATS)])
        figures["server killed -> STALE"] = summary([kill(client, server)])
    return figures


def measure_propagation(client: Client, place: str, rate: int, seconds: float) -> Figures:
    """Another process changes one of 50 flags again and again; this one says when its client answers by each."""
    seen: dict[int, int] = {}

    def note(event: Event) -> None:
        if event.kind is EventKind.CHANGED:
            seen[event.version] = time.monotonic_ns()

    end = client.subscribe(note)
    command = [sys.executable, "-m", "benchmarks.flags_propagation", "--write-to", place]
    done = subprocess.run(
        [*command, "--rate", str(rate), "--seconds", str(seconds)], check=True, capture_output=True, text=True
    )
    written: list[list[int]] = json.loads(done.stdout)
    wait_for(lambda: client.status.version == written[-1][0])
    end()
    called = [(seen[version] - before) / 1e6 for version, before, _ in written]
    returned = [max(0.0, (seen[version] - after) / 1e6) for version, _, after in written]
    return {
        f"write called -> answered by ({len(written)} changes, connection included)": summary(called),
        "write returned -> answered by (0: before it returned)": summary(returned),
    }


def write(place: str, rate: int, count: int) -> None:
    """Change a flag `rate` times a second; print version, and nanoseconds before and after each."""
    store = RedisStore(place)
    now = store.read()
    written = []
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        before = time.monotonic_ns()
        made = store.write(now, {f"flags/f{number % _FLAGS}": flag(number + 1)}, Note("b", "", "set"))
        written.append((made.version, before, time.monotonic_ns()))
        now = now.after(made.version, made.edits)
    print(json.dumps(written))


def lose_message(client: Client, server: RedisServer, store: RedisStore) -> float:
    """The set changes and the stream says nothing."""
    now = store.read()
    with server.admin() as admin:
        admin.hset(keys_of("bench").set, "version", now.version + 1)
    return until(lambda: client.status.version == now.version + 1)


def hang(client: Client, server: RedisServer) -> float:
    """The server stops in the middle, then goes on."""
    server.hang()
    taken = until(lambda: client.status.state is State.STALE)
    server.go_on()
    wait_for(lambda: client.status.state is State.READY)
    return taken


def kill(client: Client, server: RedisServer) -> float:
    """The server is gone."""
    began = time.monotonic()
    threading.Thread(target=server.kill).start()
    return until(lambda: client.status.state is State.STALE, began)


def until(true: Callable[[], bool], began: float | None = None) -> float:
    """Milliseconds until it is true."""
    start = time.monotonic() if began is None else began
    while not true():
        time.sleep(0.001)
    return (time.monotonic() - start) * 1000


def flag(number: int) -> Json:
    """A flag with a rule; each number is another one."""
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [{"in": [{"var": "targetingKey"}, [f"user-{number}", "ada"]]}, "on", None]},
    }


def summary(milliseconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and the longest."""
    ordered = sorted(milliseconds)
    return {
        "p50": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        "max": ordered[-1],
    }


if __name__ == "__main__":
    main()
