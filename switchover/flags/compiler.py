"""A stored set becomes what a client answers from: each flag one closure over prebuilt answers.

Evaluation, reasons, error codes and bucketing are those of flagd. Where flagd refuses a whole set, only the flag that
is broken answers an error here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from switchover.flags.additions import KILL, PREREQUISITES, read_prerequisites
from switchover.flags.compile_flag import Surroundings, compile_flag, is_metadata
from switchover.flags.evaluators import find_affected, find_references
from switchover.flags.flag_set import Answer, CompiledFlag, FlagSet
from switchover.flags.prerequisites import finish, plan_links
from switchover.flags.resolution import Metadata
from switchover.flags.snapshot import SECTIONS, Json, Snapshot

_ABSENT: Final = object()


def compile_set(
    snapshot: Snapshot, *, before: FlagSet | None = None, clock: Callable[[], float] = time.time
) -> FlagSet:
    """Compile a set. Never raises: what is broken answers an error, and the other flags work.

    Flags that did not change since `before`, with all that they depend on, are taken over from it as they are, with
    the clock that they had. `clock` tells the seconds since 1970.
    """
    members = _read_members(snapshot)
    around = Surroundings(members.evaluators, members.metadata, clock)
    unchanged = {} if before is None else _find_unchanged(members, before)
    compiled: dict[str, CompiledFlag] = {}
    answers: dict[str, Answer] = {}
    asked = {key: _read_asked(flag) for key, flag in members.flags.items()}
    plan = plan_links(asked)
    for key in plan.order:
        problem, flag = plan.problems.get(key), unchanged.get(key)
        if flag is None or before is None or not _stays(flag, problem, asked[key], compiled, before):
            flag = finish(compile_flag(key, members.flags[key], around), answers, problem)
        compiled[key], answers[key] = flag, flag.answer
    return FlagSet(snapshot, compiled, answers, members.metadata)


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
    """The flags that a flag asks for; a killed flag asks for none."""
    if not isinstance(flag, dict):
        return ()
    metadata = flag.get("metadata")
    if not isinstance(metadata, dict) or PREREQUISITES not in metadata or KILL in metadata:
        return ()
    return tuple(read_prerequisites(metadata[PREREQUISITES]) or {})


def _find_unchanged(members: _Members, before: FlagSet) -> dict[str, CompiledFlag]:
    """The flags whose own JSON, evaluators and metadata of the set are the same."""
    if not _same(dict(members.metadata), dict(before.metadata)):
        return {}
    old = _read_members(before.snapshot)
    names = members.evaluators.keys() | old.evaluators.keys()
    changed = {
        name for name in names if not _same(members.evaluators.get(name, _ABSENT), old.evaluators.get(name, _ABSENT))
    }
    affected = find_affected(members.evaluators, changed) if changed else set()
    return {
        key: before.compiled[key]
        for key, flag in members.flags.items()
        if key in before.compiled
        and _same(flag, old.flags.get(key, _ABSENT))
        and (not affected or affected.isdisjoint(find_references(flag)))
    }


def _same(one: object, other: object) -> bool:
    """Whether two JSON values are written alike: 1, 1.0 and true differ."""
    if one is other:
        return True
    try:
        return one == other and json.dumps(one) == json.dumps(other)
    except Exception:  # noqa: BLE001 - what cannot be compared is compiled again
        return False


def _stays(
    flag: CompiledFlag,
    problem: str | None,
    asked: Iterable[str],
    compiled: Mapping[str, CompiledFlag],
    before: FlagSet,
) -> bool:
    """Whether an unchanged flag asks the same flags as before, or has the same problem with that."""
    if problem is not None:
        return any(resolution.error_message == problem for resolution in flag.resolutions)
    return all(compiled.get(other) is before.compiled.get(other) for other in asked)
