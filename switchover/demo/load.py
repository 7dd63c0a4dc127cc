"""The load of the demonstration, as a process of its own: `python -m switchover.demo.load --url … --out …`.

It only ever speaks to this machine, and ends by itself: after so many requests or so many seconds, or on
SIGTERM. Exit status 0 says that it ran to an end of these, whatever the answers were; 2 that it was asked for
something that it does not do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from switchover.demo.load_generator import LoadGenerator, LoadPlan
from switchover.demo.load_tally import LoadTally
from switchover.errors import InputError, SwitchoverError

MOST_REQUESTS = 1_000_000
MOST_SECONDS = 3600.0
HIGHEST_RATE = 2000.0
# A service that answers nothing keeps rate x timeout connections waiting.
WANTED_FILES = 16_384


def plan_load(arguments: argparse.Namespace) -> LoadPlan:
    """Check the arguments; `InputError` for a host that is not this machine, or for more than the bounds."""
    host, port, path = _read_url(arguments.url)
    _require("--rate", arguments.rate, HIGHEST_RATE)
    _require("--requests", arguments.requests, MOST_REQUESTS)
    _require("--seconds-limit", arguments.seconds_limit, MOST_SECONDS)
    return LoadPlan(
        host, port, path, arguments.rate, arguments.requests, arguments.seconds_limit, arguments.latency_budget_ms
    )


def _read_url(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    loopback = False
    with contextlib.suppress(ValueError):
        # A name could lead anywhere, so only addresses count.
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    if parts.scheme != "http" or not loopback:
        raise InputError(
            "cannot send load",
            expected="an address of this machine, such as http://127.0.0.1:8080/",
            found=url,
            next_step="give --url the address at which the demonstration listens",
        )
    query = f"?{parts.query}" if parts.query else ""
    return parts.hostname or "", parts.port or 80, (parts.path or "/") + query


def _require(name: str, value: float, most: float) -> None:
    if not 1 <= value <= most:
        raise InputError(
            "cannot send load",
            expected=f"{name} from 1 to {most:g}",
            found=f"{value:g}",
            next_step="choose a value within these bounds",
        )


async def send_load(plan: LoadPlan, out: TextIO) -> None:
    """Carry out the plan and write the report to `out`. SIGTERM and SIGINT end it early, with its summary."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await LoadGenerator(plan, LoadTally(out, time.time(), plan.latency_budget_ms)).run(stop)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m switchover.demo.load", description="Constant load on loopback.")
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/; ?cart=<n> is added")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second")
    parser.add_argument("--requests", type=int, required=True, help="end after so many")
    parser.add_argument("--seconds-limit", type=float, required=True, help="end after so many seconds")
    parser.add_argument("--latency-budget-ms", type=float, default=250.0, help="an answer over it counts as slow")
    parser.add_argument("--out", type=Path, required=True, help="the report, one JSON object a line; appended to")
    return parser.parse_args()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> int:
    """Run as a program."""
    arguments = _read_arguments()
    try:
        plan = plan_load(arguments)
        _raise_file_limit()
        with arguments.out.open("a", encoding="utf-8") as out:
            asyncio.run(send_load(plan, out))
    except SwitchoverError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except OSError as error:
        sys.stderr.write(f"cannot write the load report {arguments.out}: {error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
