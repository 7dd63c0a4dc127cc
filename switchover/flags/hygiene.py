"""Flag debt: which flags have had their time, and what to do about each. `docs/feature-flags.md` explains the kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from switchover.flags.additions import is_killed
from switchover.flags.served import read_served
from switchover.flags.snapshot import Change, Json, Snapshot

_FLAGS = "flags/"


@dataclass(frozen=True, slots=True)
class Reference:
    """One place in the code that asks for a flag. `key` is None where it is computed by `expression`.

    `sure` is False where the call's name is common and the asked thing may be no client of flags at all.
    """

    file: str
    line: int
    call: str
    key: str | None
    expression: str
    sure: bool = True


class FindingKind(StrEnum):
    """What is wrong with a flag, in the order in which it is reported."""

    UNKNOWN = "referenced but not in the set"
    EXPIRED = "expired"
    KILLED = "killed for long"
    ROLLED_OUT = "fully rolled out"
    UNUSED = "unused in code"
    NEVER_ASKED = "never asked"
    NO_OWNER = "no owner"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flag and one thing that is wrong with it. `age_days` is that of the flag, None where nobody knows."""

    flag: str
    kind: FindingKind
    reason: str
    next_step: str
    age_days: int | None = None
    owner: str | None = None
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that is known of one flag."""

    key: str
    flag: Json
    served: frozenset[str] | None
    created: date | None
    metadata: Mapping[str, Json]
    references: tuple[Reference, ...] = ()
    changes: tuple[Change, ...] = field(default=(), repr=False)


def judge_flags(
    snapshot: Snapshot,
    references: Sequence[Reference] | None,
    counts: Mapping[str, int] | None,
    today: date,
    stale_days: int,
    *,
    history: Sequence[Change] = (),
) -> tuple[Finding, ...]:
    """What is wrong with the flags of a set, by kind and then by flag.

    `references` are all that were found in the code, None: nobody looked. `counts` are the evaluations of each flag
    that were counted, None: nobody counts. `history` is the audit trail, newest first: it says since when a flag is
    as it is. What is so for fewer than `stale_days` days, or since nobody knows when, is no finding.
    """
    findings: list[Finding] = []
    for part in sorted(snapshot.parts):
        if part.startswith(_FLAGS):
            case = _read_case(part, snapshot, references or (), history)
            findings += _judge(case, snapshot, today, stale_days, searched=references is not None, counts=counts)
    findings += _judge_unknown(snapshot, references or ())
    order = list(FindingKind)
    return tuple(sorted(findings, key=lambda each: (order.index(each.kind), each.flag)))


def _read_case(part: str, snapshot: Snapshot, references: Sequence[Reference], history: Sequence[Change]) -> _Case:
    key, flag = part.removeprefix(_FLAGS), snapshot.parts[part]
    metadata = flag.get("metadata") if isinstance(flag, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    changes = tuple(change for change in history if part in change.edits)
    created = _read_date(metadata.get("switchover.created"))
    if created is None and changes and changes[-1].before.get(part) is None:
        created = changes[-1].at.date()
    return _Case(
        key,
        flag,
        read_served(flag, snapshot.parts),
        created,
        metadata,
        tuple(each for each in references if each.key == key),
        changes,
    )


def _judge(
    case: _Case,
    snapshot: Snapshot,
    today: date,
    stale_days: int,
    *,
    searched: bool,
    counts: Mapping[str, int] | None,
) -> Iterator[Finding]:
    owner = case.metadata.get("switchover.owner")
    age = None if case.created is None else (today - case.created).days
    settled = age is not None and age >= stale_days

    def find(kind: FindingKind, reason: str, next_step: str) -> Finding:
        return Finding(
            case.key, kind, reason, next_step, age, owner if isinstance(owner, str) else None, case.references
        )

    expires = _read_date(case.metadata.get("switchover.expires"))
    if expires is not None and expires < today:
        yield find(
            FindingKind.EXPIRED, f"expired on {expires}, {_days((today - expires).days)} ago", _advise_removal(case)
        )
    killed = case.metadata.get("switchover.kill")
    if isinstance(killed, str):
        since = _find_since(case, is_killed)
        if since is not None and (today - since).days >= stale_days:
            yield find(
                FindingKind.KILLED,
                f"killed for {_days((today - since).days)}, serving {killed}",
                f"revive it (`switchover flags revive {case.key}`), or make it permanent: {_remove(case.key, killed)}",
            )
    elif case.served is not None and len(case.served) <= 1:
        since = _find_since(case, lambda flag: read_served(flag, snapshot.parts) == case.served)
        if since is not None and (today - since).days >= stale_days:
            what = f"everybody gets {next(iter(case.served))}" if case.served else "everybody gets the caller's default"
            yield find(FindingKind.ROLLED_OUT, f"{what} for {_days((today - since).days)}", _advise_removal(case))
    if searched and not case.references and settled:
        yield find(FindingKind.UNUSED, "no call in the code names it", f"`switchover flags remove {case.key}`")
    if counts is not None and not counts.get(case.key) and settled:
        yield find(
            FindingKind.NEVER_ASKED,
            f"no evaluation was counted, not even as one of all flags (a browser asks for them all), "
            f"and it is {_days(age or 0)} old",
            f"look whether its code still runs, then {_advise_removal(case)}",
        )
    if not owner:
        yield find(
            FindingKind.NO_OWNER,
            "nobody is named who decides about it",
            f"`switchover flags set {case.key} --owner TEAM`",
        )


def _judge_unknown(snapshot: Snapshot, references: Sequence[Reference]) -> Iterator[Finding]:
    missing = {
        each.key for each in references if each.sure and each.key and f"{_FLAGS}{each.key}" not in snapshot.parts
    }
    for key in sorted(missing):
        found = tuple(each for each in references if each.key == key)
        yield Finding(
            key,
            FindingKind.UNKNOWN,
            f"asked for in {found[0].file}:{found[0].line}, and everybody gets the caller's default",
            f"store it, or take it out of the code: {_remove(key, 'false')}",
            references=found,
        )


def _find_since(case: _Case, holds: Callable[[Json], bool]) -> date | None:
    """The day since which the flag is so; where the trail does not reach that far, one since which it surely is."""
    part = f"{_FLAGS}{case.key}"
    for change in case.changes:
        if not holds(change.edits[part]):
            return None  # something else than the flag's own definition made it so, and nobody knows when
        if not holds(change.before.get(part)):
            return change.at.date()
    if case.created is not None and not case.changes:
        return case.created
    return case.changes[-1].at.date() if case.changes else None


def _advise_removal(case: _Case) -> str:
    if case.served is not None and len(case.served) == 1:
        return _remove(case.key, next(iter(case.served)))
    return f"choose the variant that stays, then {_remove(case.key, 'VARIANT')}"


def _remove(key: str, variant: str) -> str:
    return f"`switchover flags remove {key} --value {variant}`"


def _read_date(stated: Json) -> date | None:
    try:
        return date.fromisoformat(stated) if isinstance(stated, str) else None
    except ValueError:
        return None


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
