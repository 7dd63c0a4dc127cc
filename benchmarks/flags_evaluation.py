"""How long a flag takes here, in flagd's evaluator, GrowthBook and LaunchDarkly's SDK, side by side.

Every call is timed alone, with contexts that exist already, and the cost of an empty timed call is taken off. The
systems take turns, so that a busy moment of the machine hits all of them.
"""

from __future__ import annotations

import gc
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ldclient
from growthbook import GrowthBook
from ldclient.config import Config
from ldclient.integrations import Files
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from switchover.flags.client import Client
from switchover.flags.compiler import compile_set
from switchover.flags.context import Context
from switchover.flags.memory_store import MemoryFeed, MemoryStore
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Snapshot, parts_of

USERS: Final = 1000
TARGETED: Final = [f"user-{index}" for index in range(0, 100, 10)]
KEYS: Final = [f"user-{index}" for index in range(USERS)]
CASES: Final = ("static", "rollout", "targeted")
TITLES: Final = {"static": "static flag", "rollout": "50 % of users", "targeted": "10 users, else 25 %"}
PERCENT: Final = {"rollout": 50, "targeted": 25}

Call = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class System:
    """One way of asking: the call of each case, and who asks."""

    name: str
    calls: Mapping[str, Call]
    askers: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds of one system in one case, and how often per second one thread could ask."""

    system: str
    case: str
    p50: float
    p99: float
    per_second: float


def _fractional(percent: int) -> dict[str, Any]:
    return {"fractional": [["on", percent], ["off", 100 - percent]]}


def document() -> dict[str, Any]:
    """The three flags in flagd's schema."""
    is_targeted = {"in": [{"var": "targetingKey"}, TARGETED]}
    switch = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    return {
        "flags": {
            "static": switch,
            "rollout": {**switch, "targeting": _fractional(PERCENT["rollout"])},
            "targeted": {**switch, "targeting": {"if": [is_targeted, "on", _fractional(PERCENT["targeted"])]}},
        }
    }


def _our_client() -> System:
    client = Client(MemoryFeed(MemoryStore.from_document(document())))
    calls = {case: (lambda context, key=case: client.is_enabled(key, context)) for case in CASES}
    return System("switchover, client", calls, [Context(key) for key in KEYS])


def _our_closures() -> System:
    flags = compile_set(Snapshot(1, "benchmark", parts_of(document()))).compiled
    calls = {case: flags[case].answer for case in CASES}
    return System("switchover, compiled flag alone", calls, [Context(key) for key in KEYS])


def _flagd() -> System:
    core = FlagdCore()
    core.set_flags(document())
    calls = {
        case: (lambda context, key=case: core.resolve_boolean_value(key, default_value=False, ctx=context).value)
        for case in CASES
    }
    return System("flagd-core", calls, [EvaluationContext(key) for key in KEYS])


def _growthbook() -> System:
    rules = {
        case: [{"coverage": PERCENT[case] / 100, "hashAttribute": "id", "hashVersion": 2, "force": True}]
        for case in PERCENT
    }
    rules["targeted"].insert(0, {"condition": {"id": {"$in": TARGETED}}, "force": True})
    features = {"static": {"defaultValue": True}} | {
        case: {"defaultValue": False, "rules": rules[case]} for case in rules
    }
    book = GrowthBook(features=features)

    def call(case: str) -> Call:
        def ask(attributes: dict[str, str]) -> bool:
            book.set_attributes(attributes)
            return bool(book.is_on(case))

        return ask

    return System("GrowthBook", {case: call(case) for case in CASES}, [{"id": key} for key in KEYS])


def _launchdarkly() -> System:
    """Its SDK with its file source, which knows percentages; it sends no events and calls nobody."""
    switch = {"on": True, "variations": [True, False], "offVariation": 1, "salt": "salt", "version": 1}
    flags: dict[str, Any] = {}
    for key in CASES:
        percent = PERCENT.get(key, 100)
        shares = [{"variation": 0, "weight": percent * 1000}, {"variation": 1, "weight": (100 - percent) * 1000}]
        fallthrough = {"rollout": {"variations": shares}} if key in PERCENT else {"variation": 0}
        targets = [{"values": TARGETED, "variation": 0}] if key == "targeted" else []
        flags[key] = {**switch, "key": key, "fallthrough": fallthrough, "targets": targets}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.json"
        path.write_text(json.dumps({"flags": flags}))
        source = Files.new_data_source(paths=[str(path)])
        client = ldclient.LDClient(Config("sdk-key", update_processor_class=source, send_events=False), start_wait=5)
    calls = {case: (lambda context, key=case: client.variation(key, context, default=False)) for case in CASES}
    return System("LaunchDarkly SDK", calls, [ldclient.Context.create(key) for key in KEYS])


def _empty() -> System:
    return System("empty call", dict.fromkeys(CASES, lambda _asker: None), KEYS)


def _is_on(found: object) -> bool:
    return (found.value if isinstance(found, Resolution) else found) is True


def _check(systems: Sequence[System]) -> None:
    """Whether every system does what the case says; a wrong setup would be a fast one."""
    for system in systems:
        for case in CASES:
            served = sum(_is_on(system.calls[case](asker)) for asker in system.askers) / USERS
            expected = PERCENT.get(case, 100) / 100
            if abs(served - expected) > 0.05:  # noqa: PLR2004 - 1000 users
                message = f"{system.name} serves {served:.0%} instead of {expected:.0%} in case {case}"
                raise RuntimeError(message)


def _time(call: Call, askers: Sequence[Any]) -> list[int]:
    clock = time.perf_counter_ns
    took = []
    for asker in askers:
        began = clock()
        call(asker)
        took.append(clock() - began)
    return took


def measure(evaluations: int) -> list[Timing]:
    """Time `evaluations` calls of each system in each case."""
    logging.getLogger("ldclient").setLevel(logging.ERROR)
    systems = [_our_closures(), _our_client(), _flagd(), _growthbook(), _launchdarkly()]
    _check(systems)
    systems.append(_empty())
    took: dict[tuple[str, str], list[int]] = {(system.name, case): [] for system in systems for case in CASES}
    gc.collect()
    gc.freeze()
    for _ in range(max(1, evaluations // USERS)):
        for case in CASES:
            for system in systems:
                took[system.name, case] += _time(system.calls[case], system.askers)
    gc.unfreeze()
    floors = {case: statistics.median(took["empty call", case]) for case in CASES}
    return [_summarise(name, case, times, floors[case]) for (name, case), times in took.items() if name != "empty call"]


def measure_bulk(flags: int = 50) -> float:
    """Microseconds (p50) of `evaluate_all` over so many flags of the targeted kind."""
    targeted = document()["flags"]["targeted"]
    feed = MemoryStore.from_document({"flags": {f"flag-{number}": targeted for number in range(flags)}}).feed()
    with Client(feed) as client:
        took = _time(client.evaluate_all, [Context(key) for key in KEYS])
    return statistics.median(took) / 1000


def _summarise(system: str, case: str, took: list[int], floor: float) -> Timing:
    shares = statistics.quantiles(took, n=100)
    p50, p99 = ((share - floor) / 1000 for share in (shares[49], shares[98]))
    mean = statistics.fmean(took) - floor
    return Timing(system, case, p50, p99, 1e9 / max(mean, 1.0))


def print_table(timings: Sequence[Timing]) -> None:
    """The figures, and how many times longer each system takes than our client."""
    ours = {row.case: row.p50 for row in timings if row.system == "switchover, client"}
    for case in CASES:
        print(f"\n{TITLES[case]:<34}{'p50 µs':>9}{'p99 µs':>9}{'per second':>13}{'to ours':>10}")
        for row in timings:
            if row.case == case:
                times = f"{row.p50:>9.2f}{row.p99:>9.2f}{row.per_second:>13,.0f}"
                print(f"  {row.system:<32}{times}{row.p50 / ours[case]:>9.1f}x")
