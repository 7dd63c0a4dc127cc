"""Flags, sets and contexts for the tests of the compiler."""

from __future__ import annotations

from typing import Any

from switchover.flags.compiler import compile_set
from switchover.flags.context import NOBODY, Context
from switchover.flags.flag_set import FlagSet
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Snapshot, parts_of

ON_OFF = {"on": True, "off": False}


def a_flag(targeting: Any = None, **more: Any) -> dict[str, Any]:
    """A switch that is off by default."""
    flag = {"state": "ENABLED", "variants": ON_OFF, "defaultVariant": "off", **more}
    return flag if targeting is None else {**flag, "targeting": targeting}


def a_set(flags: dict[str, Any], before: FlagSet | None = None, **sections: Any) -> FlagSet:
    parts = parts_of(
        {"flags": flags, **{name.replace("evaluators", "$evaluators"): value for name, value in sections.items()}}
    )
    return compile_set(Snapshot(1, "lineage", parts), before=before, clock=lambda: 1_700_000_000.9)


def ask(flag: dict[str, Any], context: Context = NOBODY) -> Resolution:
    return a_set({"checkout": flag}).answers["checkout"](context)


def serves(targeting: Any, context: Context = NOBODY, **more: Any) -> str | None:
    """The variant that a rule leads to."""
    return ask(a_flag(targeting, **more), context).variant


def holds(condition: Any, context: Context = NOBODY) -> bool:
    """Whether a condition is true for the context. An error fails the test."""
    variant = serves({"if": [condition, "on", "off"]}, context)
    assert variant is not None
    return variant == "on"
