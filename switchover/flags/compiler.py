"""A stored set becomes what a client answers from: each flag one closure over prebuilt answers, made when it is needed.

Evaluation, reasons, error codes and bucketing are those of flagd. Where flagd refuses a whole set, only the flag that
is broken answers an error here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from switchover.flags.additions import EXPERIMENT, KILL, PREREQUISITES, read_prerequisites
from switchover.flags.compile_flag import Surroundings, compile_flag, is_metadata
from switchover.flags.evaluators import REF, find_affected, find_references
from switchover.flags.flag_set import Answer, CompiledFlag, DeferredFlag, Flag, FlagSet
from switchover.flags.prerequisites import finish, plan_links
from switchover.flags.resolution import Metadata
from switchover.flags.snapshot import SECTIONS, Json, Snapshot, written_alike

_ABSENT: Final = object()
_NOTHING: Final[Mapping[str, Flag]] = MappingProxyType({})


def compile_set(
    snapshot: Snapshot, *, before: FlagSet | None = None, clock: Callable[[], float] = time.time
) -> FlagSet:
    """Compile a set. Never raises: what is broken answers an error, and the other flags work.

    Flags that did not change since `before`, with all that they depend on, are taken over from it as they are, with
    the clock that they had. `clock` tells the seconds since 1970. A flag is compiled at once if it was in use in
    `before` and if it may be an experiment, of which a recorder has to know; any other at its first question.
    """
    members = _read_members(snapshot)
    around = Surroundings(members.evaluators, members.metadata, clock)
    before = before or FlagSet()
    unchanged = _find_unchanged(members, before) if before.compiled else {}
    asked = {key: others for key, flag in members.flags.items() if (others := _read_asked(flag))}
    plan = plan_links(_with_targets(asked, members.flags))
    linked = frozenset(plan.order)
    compiled: dict[str, Flag] = {}
    for key in (*(key for key in members.flags if key not in linked), *plan.order):
        problem, others, flag = plan.problems.get(key), asked.get(key, ()), unchanged.get(key)
        if flag is None or not _stays(flag, problem, others, compiled, before):
            needs = {other: compiled[other] for other in others} if others and problem is None else _NOTHING
            flag = DeferredFlag(key, _make, members.flags[key], around, needs, problem)
            if problem is not None or _is_in_use(key, before) or _may_be_experiment(members.flags[key]):
                _compile_now(flag)
        compiled[key] = flag
    return FlagSet(snapshot, compiled, _read_answers(compiled), members.metadata)


def _with_targets(asked: Mapping[str, tuple[str, ...]], flags: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The flags that ask for others, and those that they ask for: mostly few of a set."""
    targets = {other: () for others in asked.values() for other in others if other in flags}
    return {**targets, **asked}


def _make(
    key: str, definition: Json, around: Surroundings, needs: Mapping[str, Flag], problem: str | None
) -> CompiledFlag:
    return finish(compile_flag(key, definition, around), needs, problem)


def _is_in_use(key: str, before: FlagSet) -> bool:
    """Whether the flag was compiled before: then a request must not wait for that again."""
    flag = before.compiled.get(key)
    return flag is not None and flag.made is not None


def _may_be_experiment(flag: Json) -> bool:
    """Whether the flag is one, or an evaluator may say so."""
    if not isinstance(flag, dict):
        return False
    metadata = flag.get("metadata")
    return REF in flag or (isinstance(metadata, dict) and (EXPERIMENT in metadata or REF in metadata))


def _compile_now(flag: DeferredFlag) -> None:
    # What cannot be compiled now (no thread can be started) is tried again when it is asked.
    with contextlib.suppress(Exception):
        _ = flag.resolutions


def _read_answers(compiled: Mapping[str, Flag]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for key, flag in compiled.items():
        answers[key] = flag.answer_in(answers) if isinstance(flag, DeferredFlag) else flag.answer
    return answers


@dataclass(frozen=True, slots=True)
class _Members:
    flags: dict[str, Json]
    evaluators: dict[str, Json]
    metadata: Metadata


def _read_members(snapshot: Snapshot) -> _Members:
    sections: dict[str, dict[str, Json]] = {name: {} for name in SECTIONS}
    for part, value in snapshot.parts.items():
        section, _, name = part.partition("/")
        sections.get(section, {})[name] = value
    metadata = {name: value for name, value in sections["metadata"].items() if is_metadata(name, value)}
    return _Members(sections["flags"], sections["$evaluators"], cast("Metadata", MappingProxyType(metadata)))


def _read_asked(flag: Json) -> tuple[str, ...]:
    """The flags that a flag asks for; a killed or disabled flag asks for none."""
    if not isinstance(flag, dict) or flag.get("state") == "DISABLED":
        return ()
    metadata = flag.get("metadata")
    if not isinstance(metadata, dict) or PREREQUISITES not in metadata or KILL in metadata:
        return ()
    return tuple(read_prerequisites(metadata[PREREQUISITES]) or {})


def _find_unchanged(members: _Members, before: FlagSet) -> dict[str, Flag]:
    """The flags whose own JSON, evaluators and metadata of the set are the same."""
    if not written_alike(dict(members.metadata), dict(before.metadata)):
        return {}
    old = _read_members(before.snapshot)
    names = members.evaluators.keys() | old.evaluators.keys()
    changed = {
        name
        for name in names
        if not written_alike(members.evaluators.get(name, _ABSENT), old.evaluators.get(name, _ABSENT))
    }
    affected = find_affected(members.evaluators, changed) if changed else set()
    return {
        key: before.compiled[key]
        for key, flag in members.flags.items()
        if key in before.compiled
        and written_alike(flag, old.flags.get(key, _ABSENT))
        and (not affected or affected.isdisjoint(find_references(flag)))
    }


def _stays(
    flag: Flag,
    problem: str | None,
    asked: Iterable[str],
    compiled: Mapping[str, Flag],
    before: FlagSet,
) -> bool:
    """Whether an unchanged flag asks the same flags as before, or has the same problem with that."""
    if problem is not None:
        made = flag.made
        return made is not None and any(resolution.error_message == problem for resolution in made.resolutions)
    return all(compiled.get(other) is before.compiled.get(other) for other in asked)
