"""Flag debt: find the flags that have had their time, and take one of them out of the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from switchover.errors import InputError
from switchover.flags.hygiene import Finding, Reference, judge_flags
from switchover.flags.ports import FlagStore
from switchover.flags.records import DailyCount
from switchover.flags.snapshot import Json

STALE_DAYS = 30
_SHOWN_CHARACTERS = 100
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be looked at, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceScan:
    """What was found in the code: every call that asks for a flag, and how many files were read."""

    references: tuple[Reference, ...]
    unread: tuple[Unread, ...]
    files: int


@dataclass(frozen=True, slots=True)
class FileRemoval:
    """What taking a flag out does to one file: a unified diff, and remarks as `file:line: text`.

    `left` still asks for the flag; `remaining` is for a person to look at.
    """

    file: str
    diff: str
    left: tuple[str, ...]
    remaining: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What taking a flag out did, or would do where `written` is False. `computed` may mean this flag, too."""

    key: str
    value: Json
    files: tuple[FileRemoval, ...]
    unread: tuple[Unread, ...]
    computed: tuple[Reference, ...]
    written: bool

    @property
    def left(self) -> tuple[str, ...]:
        """Every place that still asks for the flag."""
        return tuple(each for file in self.files for each in file.left)

    @property
    def complete(self) -> bool:
        """Whether no code asks for it any more, as far as keys are written out."""
        return not self.left and not self.unread


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """The removal before it is made: what it does to each file, and what writes it."""

    files: tuple[FileRemoval, ...]
    unread: tuple[Unread, ...]
    apply: Callable[[], None]


class Sources(Protocol):
    """The code that asks for flags."""

    def find_references(self) -> SourceScan:
        """Every call that asks for a flag. Raises `InputError` for a place that does not exist."""

    def plan_removal(self, key: str, value: Json, variant: str | None) -> RemovalPlan:
        """The code without the flag, which gives this value to everybody."""


@dataclass(frozen=True, slots=True)
class DebtReport:
    """The findings; `unread` files were not looked at, and `computed` calls may ask for any flag."""

    findings: tuple[Finding, ...]
    flags: int
    files: int
    unread: tuple[Unread, ...]
    computed: tuple[Reference, ...]


def find_debt(
    store: FlagStore,
    sources: Sources | None,
    clock: Callable[[], datetime],
    *,
    counts: Mapping[str, int] | None = None,
    stale_days: int = STALE_DAYS,
) -> DebtReport:
    """Judge every flag of the store; without `sources` nothing is said of the code, without `counts` of evaluations.

    `clock` gives the moment in UTC. Raises what the store and the sources raise.
    """
    if stale_days < 0:
        raise InputError(
            "the flags cannot be judged",
            expected="a number of days from 0",
            found=str(stale_days),
            next_step="correct it",
        )
    snapshot = store.read()
    scan = None if sources is None else sources.find_references()
    findings = judge_flags(
        snapshot,
        None if scan is None else scan.references,
        counts,
        clock().date(),
        stale_days,
        history=store.history(),
    )
    return DebtReport(
        findings,
        sum(part.startswith("flags/") for part in snapshot.parts),
        0 if scan is None else scan.files,
        () if scan is None else scan.unread,
        () if scan is None else _list_computed(scan),
    )


def sum_counts(counted: Mapping[str, Sequence[DailyCount]]) -> Mapping[str, int] | None:
    """The evaluations of each flag; None where none was ever counted, which is not the same as never asked."""
    return {key: sum(day.count for day in days) for key, days in counted.items()} or None


def choose_answer(flag: Json, key: str, stated: str) -> tuple[Json, str | None]:
    """What `--value` means: a variant of the flag with its value.

    Where the flag is not in the set any more, `true`, `false` or any other JSON, and no variant. Raises `InputError`.
    """
    if flag is None:
        try:
            return _read_json(stated), None
        except (ValueError, RecursionError) as error:
            raise _refuse(
                key,
                "JSON, for example true, since the flag is not in the set",
                f"{stated[:_SHOWN_CHARACTERS]!r}: {error}",
            ) from error
    variants = flag.get("variants") if isinstance(flag, dict) else None
    if not isinstance(variants, dict) or stated not in variants:
        names = ", ".join(sorted(variants)) if isinstance(variants, dict) else "a flag with variants"
        raise _refuse(key, f"one of its variants: {names}", repr(stated[:_SHOWN_CHARACTERS]))
    return variants[stated], stated


def require_unasked(
    scan: SourceScan, key: str, counted: Sequence[DailyCount], clock: Callable[[], datetime]
) -> tuple[str, ...]:
    """What speaks against removing a flag from the set, though nothing in the code surely asks for it.

    `counted` are its evaluations, none where nobody counts; `clock` gives the moment in UTC. Raises `InputError` where
    code asks for it or may: by a call that may be no question, in a file that could not be read, or by a computed key
    while its evaluations are counted.
    """
    computed = _list_computed(scan)
    today = sum(each.count for each in counted if each.day >= clock().date())
    asking = [f"{each.file}:{each.line}" for each in scan.references if each.key == key]
    asking += [f"{each.file}, which could not be read: {each.reason}" for each in scan.unread]
    if today:
        asking += [f"{each.file}:{each.line} by a computed key, and it was asked today" for each in computed]
    if asking:
        more = f" and {len(asking) - _LISTED} more" if len(asking) > _LISTED else ""
        raise InputError(
            f"{key} is still asked for, or may be",
            expected="no code that asks for it, so that nobody falls back to a default",
            found=", ".join(asking[:_LISTED]) + more,
            next_step=f"take it out of the code with `switchover flags remove {key} --value … --write`, "
            "or add --still-asked",
        )
    warnings = [f"asks for a computed key: {each.file}:{each.line}: {each.expression}" for each in computed]
    if today:
        warnings.append(f"asked {today} times today: by code that is not replaced yet, or with all flags at once")
    return tuple(warnings)


def remove_from_code(
    sources: Sources, key: str, value: Json, *, write: bool, variant: str | None = None
) -> RemovalReport:
    """Take a flag out of the code; without `write` only say what that would do. Raises what the sources raise."""
    plan = sources.plan_removal(key, value, variant)
    computed = _list_computed(sources.find_references())
    if write:
        plan.apply()
    return RemovalReport(key, value, plan.files, plan.unread, computed, written=write)


def _list_computed(scan: SourceScan) -> tuple[Reference, ...]:
    return tuple(each for each in scan.references if each.key is None)


def _read_json(stated: str) -> Json:
    value: Json = json.loads(stated, parse_constant=_refuse_constant)
    return value


def _refuse_constant(name: str) -> float:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _refuse(key: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{key} cannot be taken out of the code",
        expected=expected,
        found=found,
        next_step="name with --value what everybody gets from now on (`switchover flags show` lists the variants)",
    )
