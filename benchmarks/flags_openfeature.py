"""What an evaluation through the OpenFeature client costs: its own floor, switchover's provider, and flagd's.

`python -m benchmarks.flags_openfeature [--evaluations N] [--json]`

The floor is the SDK with its in-memory provider and flags without rules: the SDK's client makes dozens of calls for
each evaluation, which every provider pays. All systems are asked with the same contexts in turns, so that the
machine's other work meets all of them; microseconds for each call, contexts built beforehand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from switchover.flags.client import Client
from switchover.flags.memory_store import MemoryStore
from switchover.flags.openfeature import SwitchoverProvider

USERS = 1000
TURNS = 20
SYSTEMS = ("in memory", "switchover", "flagd")
TEN = [f"user-{number}" for number in range(10)]
HALF = {"fractional": [["on", 50], ["off", 50]]}
QUARTER = {"fractional": [["on", 25], ["off", 75]]}
VARIANTS = {"on": True, "off": False}

DOCUMENT: dict[str, Any] = {
    "flags": {
        "static": {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": "on"},
        "half": {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": "off", "targeting": HALF},
        "ten users, else a quarter": {
            "state": "ENABLED",
            "variants": VARIANTS,
            "defaultVariant": "off",
            "targeting": {"if": [{"in": [{"var": "targetingKey"}, TEN]}, "on", QUARTER]},
        },
    }
}


def main() -> None:
    """Print each flag's figures and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=50_000, help="of each flag by each system")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_all(Path(folder), options.evaluations)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'':<28}{'':<12}{'p50 us':>9}{'p99 us':>9}{'over floor':>12}{'flagd / this':>14}")
    for flag, systems in figures.items():
        for system, figure in systems.items():
            over, times = figure["p50_over_floor"], figure["flagd_p50_ratio"]
            print(f"{flag:<28}{system:<12}{figure['p50']:9.2f}{figure['p99']:9.2f}{over:12.2f}{times:14.2f}")


def measure_all(folder: Path, evaluations: int) -> dict[str, dict[str, dict[str, float]]]:
    """The figures by flag and system, of the calls and of the coroutines."""
    contexts = [EvaluationContext(f"user-{number}", {"plan": "free"}) for number in range(USERS)]
    source = folder / "flags.json"
    source.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    with Client(MemoryStore.from_document(DOCUMENT).feed()) as flags:
        api.set_provider_and_wait(in_memory(), "in memory")
        api.set_provider_and_wait(SwitchoverProvider(flags), "switchover")
        flagd = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(source))
        api.set_provider_and_wait(flagd, "flagd")
        clients = {system: api.get_client(system) for system in SYSTEMS}
        check_agreement(clients, contexts)
        figures = {flag: compare(clients, evaluations, partial(ask, flag, contexts)) for flag in DOCUMENT["flags"]}
        figures["static, awaited"] = compare(clients, evaluations, partial(ask_awaited, "static", contexts))
        api.shutdown()
    return figures


def in_memory() -> InMemoryProvider:
    """Flags of the same names that are always on."""
    return InMemoryProvider({key: InMemoryFlag("on", VARIANTS) for key in DOCUMENT["flags"]})


def check_agreement(clients: Mapping[str, OpenFeatureClient], contexts: Sequence[EvaluationContext]) -> None:
    """That switchover and flagd do the same work. Raises ValueError otherwise."""
    for flag in DOCUMENT["flags"]:
        for context in contexts:
            answers = {
                clients[system].get_boolean_value(flag, default_value=False, evaluation_context=context)
                for system in ("switchover", "flagd")
            }
            if len(answers) != 1:
                msg = f"{flag} differs for {context.targeting_key}"
                raise ValueError(msg)


def compare(
    clients: Mapping[str, OpenFeatureClient], evaluations: int, measure: Callable[[OpenFeatureClient, int], list[int]]
) -> dict[str, dict[str, float]]:
    """p50 and p99 in microseconds of each system, and its p50 beside the floor and flagd's."""
    taken: dict[str, list[int]] = {system: [] for system in clients}
    for _ in range(TURNS):
        for system, client in clients.items():
            taken[system] += measure(client, evaluations // TURNS)
    medians = {system: statistics.median(nanoseconds) / 1000 for system, nanoseconds in taken.items()}
    return {
        system: {
            "p50": round(p50, 3),
            "p99": round(statistics.quantiles(taken[system], n=100)[98] / 1000, 3),
            "p50_over_floor": round(p50 - medians["in memory"], 3),
            "flagd_p50_ratio": round(medians["flagd"] / p50, 3),
        }
        for system, p50 in medians.items()
    }


def ask(flag: str, contexts: Sequence[EvaluationContext], client: OpenFeatureClient, count: int) -> list[int]:
    """Nanoseconds of each call."""
    clock, get, taken = time.perf_counter_ns, client.get_boolean_value, []
    for number in range(count):
        context = contexts[number % USERS]
        began = clock()
        get(flag, False, context)
        taken.append(clock() - began)
    return taken


def ask_awaited(flag: str, contexts: Sequence[EvaluationContext], client: OpenFeatureClient, count: int) -> list[int]:
    """`ask`, by the coroutine."""
    return asyncio.run(ask_async(flag, contexts, client, count))


async def ask_async(
    flag: str, contexts: Sequence[EvaluationContext], client: OpenFeatureClient, count: int
) -> list[int]:
    """Nanoseconds of each awaited call."""
    clock, get, taken = time.perf_counter_ns, client.get_boolean_value_async, []
    for number in range(count):
        context = contexts[number % USERS]
        began = clock()
        await get(flag, False, context)
        taken.append(clock() - began)
    return taken


if __name__ == "__main__":
    main()
