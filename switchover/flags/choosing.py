"""The outermost closures of a rule: branches that end in prebuilt answers, and what keeps errors from the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from switchover.flags.context import Context
from switchover.flags.expression import Run
from switchover.flags.flag_set import Answer
from switchover.flags.resolution import Resolution


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a branch ends in: always the same answer (`fixed`), or what `run` finds."""

    run: Callable[[Any], Resolution]
    fixed: Resolution | None = None


Branches: TypeAlias = Sequence[tuple[Run | None, Outcome]]
"""The outcome of the first test that holds; the last one has none and holds always."""


def choose(branches: Branches) -> Callable[[Any], Resolution]:
    """The closure of branches. It raises what their tests raise."""
    *tested, (_, last) = branches
    steps = [(test, outcome.fixed, outcome.run) for test, outcome in tested if test is not None]
    otherwise = last.run

    def run_first(scope: Any) -> Resolution:
        for test, fixed, run in steps:
            if test(scope):
                return fixed or run(scope)
        return otherwise(scope)

    return run_first if steps else otherwise


def guard(branches: Branches, failed: Resolution, unknown: Resolution) -> Answer:
    """The closure of branches that never raises: `unknown` for an operator that nobody knows, else `failed`."""
    test, first = branches[0]
    if len(branches) == 2 and test is not None and first.fixed is not None:  # noqa: PLR2004 - one branch, and the rest
        return _guard_two(test, first.fixed, branches[1][1], failed, unknown)
    run = choose(branches)

    def answer(context: Context) -> Resolution:
        try:
            return run(context)
        except ReferenceError:
            return unknown
        except Exception:  # noqa: BLE001 - whatever a context holds, the application gets an answer
            return failed

    return answer


def _guard_two(test: Run, first: Resolution, last: Outcome, failed: Resolution, unknown: Resolution) -> Answer:
    """`guard` for the most frequent rules: what costs a call less there."""
    fixed, run = last.fixed, last.run

    def answer_or_run(context: Context) -> Resolution:
        try:
            return first if test(context) else run(context)
        except ReferenceError:
            return unknown
        except Exception:  # noqa: BLE001 - as above
            return failed

    def answer(context: Context) -> Resolution:
        try:
            return first if test(context) else fixed  # type: ignore[return-value]  # chosen where it is fixed
        except ReferenceError:
            return unknown
        except Exception:  # noqa: BLE001 - as above
            return failed

    return answer_or_run if fixed is None else answer
