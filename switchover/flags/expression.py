"""A compiled node: how its value is had, and what is known about it beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from switchover.flags.conversions import to_bool

Run: TypeAlias = Callable[[Any], Any]
"""Computes from a scope; raises what the operators raise."""

SCALARS: Final = frozenset({str, int, float, bool, type(None)})
"""The types of JSON that hold no others."""

VARIES: Final = object()
"""Stands for the value of what is no constant; null is a constant."""


@dataclass(frozen=True, slots=True)
class Fractional:
    """A percentage with weights that are known beforehand: `bind(outcomes, nothing)` chooses among `outcomes`."""

    variants: Sequence[object]
    bind: Callable[[Sequence[Any], Any], Run]


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled node.

    `value` is the constant where there is one. `test` is cheaper than `run` where only the truth is asked: what it
    returns is as true as Python says. `is_list` holds for what certainly gives a list. `attribute` is the one that
    the node reads from a `Context` and nothing else; `reads_key` holds where that is the targeting key.
    """

    run: Run
    value: Any = VARIES
    test: Run | None = None
    split: Fractional | None = None
    is_list: bool = False
    attribute: str | None = None
    reads_key: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether the value is known."""
        return self.value is not VARIES


def constant(value: object) -> Expression:
    """What gives the same value every time."""
    truth = to_bool(value)
    return Expression(lambda _scope: value, value, lambda _scope: truth, is_list=isinstance(value, list))


def truth_of(expression: Expression) -> Run:
    """What tells whether the value is true."""
    if expression.test is not None:
        return expression.test
    run = expression.run
    return lambda scope: to_bool(run(scope))
