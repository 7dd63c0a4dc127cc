"""How a flag set is changed: read it, decide purely, check the whole result, write with compare-and-swap.

A change of one flag is a pure function of that flag, so when somebody else was faster it is decided again on the
newer set and nobody's change is lost. Whoever looked at a certain version names it: then a newer one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from switchover.errors import InputError, LedgerConflictError
from switchover.flags.definition import find_mistakes
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Change, Edits, Json, Note, Part, Snapshot, edits_between

# Each lost race is somebody else's success; a hundred in a row is a store that never lets us in.
_ATTEMPTS = 100
_SHOWN_MISTAKES = 10
_SHOWN_NAMES = 5
_CORRECT = "correct it and repeat; docs/feature-flags.md has the form of a flag"

Decide: TypeAlias = Callable[[Snapshot], Edits]
"""What to change in a set; purely, since it is asked again on a newer set. None as a part's value removes it."""


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A change before it is made: sound edits of `snapshot`, and what the same parts are before."""

    snapshot: Snapshot
    edits: Edits = field(default_factory=dict)

    @property
    def before(self) -> dict[Part, Json]:
        """The JSON of each edited part as it is; None: there is none yet."""
        return {part: self.snapshot.parts.get(part) for part in self.edits}


def plan_change(snapshot: Snapshot, decide: Decide, *, version: int | None = None) -> ChangePlan:
    """What would be written, without what is so already.

    Raises `InputError` for a result that is not sound, `LedgerConflictError` when the set is not at `version`.
    """
    require_version(snapshot, version)
    wanted = snapshot.after(snapshot.version + 1, decide(snapshot))
    edits = edits_between(snapshot.parts, wanted.parts)
    if edits:
        _refuse_new_mistakes(snapshot.parts, wanted.parts)
    return ChangePlan(snapshot, edits)


def change_set(store: FlagStore, decide: Decide, note: Note, *, version: int | None = None) -> Change:
    """Make the change; with `version` only of that very version.

    Where the set is as wanted already nothing is written, and the returned change has no edits and the version that
    the set is at. Raises what `plan_change` and the store raise.
    """
    for _ in range(_ATTEMPTS):
        plan = plan_change(store.read(), decide, version=version)
        if not plan.edits:
            return Change(plan.snapshot.version, datetime.now(UTC), note, {}, {})
        try:
            return store.write(plan.snapshot, plan.edits, note)
        except LedgerConflictError:
            continue
    raise LedgerConflictError(
        f"the change ({note.action}) was not written",
        expected="to be the first to write after reading, once",
        found=f"somebody else was faster {_ATTEMPTS} times",
        next_step="find out who writes all the time: `switchover flags history`; then repeat",
    )


def change_flag(
    store: FlagStore, key: str, change: Callable[[Json], Json], note: Note, *, version: int | None = None
) -> Change:
    """Change one flag, as `change_set` does. `change` gets its JSON, None where there is none, and returns the new."""
    return change_set(store, of_flag(key, change), note, version=version)


def of_flag(key: str, change: Callable[[Json], Json]) -> Decide:
    """The decision that changes one flag."""
    return lambda snapshot: {f"flags/{key}": change(snapshot.flag(key))}


def of_document(parts: Mapping[Part, Json], *, keep_others: bool = False) -> Decide:
    """The decision that makes a set what a document says; `keep_others`: what it does not name stays."""
    return lambda snapshot: dict(parts) if keep_others else edits_between(snapshot.parts, parts)


def keeping_all(parts: Mapping[Part, Json]) -> Decide:
    """The decision that makes a set what a document says; raises `InputError`, when it is asked, if that removes."""

    def decide(snapshot: Snapshot) -> Edits:
        edits = edits_between(snapshot.parts, parts)
        removed = sorted(part.removeprefix("flags/") for part, value in edits.items() if value is None)
        if removed:
            more = f" and {len(removed) - _SHOWN_NAMES} more" if len(removed) > _SHOWN_NAMES else ""
            raise InputError(
                f"{len(removed)} of {len(snapshot.parts)} parts of the set would be removed; nothing was changed",
                expected="a document that names all that the set has",
                found=f"{len(removed)} not named: {', '.join(removed[:_SHOWN_NAMES])}{more}",
                next_step="add --keep-others to leave them as they are, or --replace to remove them",
            )
        return edits

    return decide


def count_edits(before: Mapping[Part, Json], after: Edits) -> dict[str, int]:
    """How many parts are `made`, `edited` and `removed`."""
    removed = sum(value is None for value in after.values())
    made = sum(value is not None and before.get(part) is None for part, value in after.items())
    return {"made": made, "edited": len(after) - made - removed, "removed": removed}


def require_version(snapshot: Snapshot, version: int | None) -> None:
    """Raise `LedgerConflictError` when the set is not at the version that somebody decided on (None: any)."""
    if version is not None and snapshot.version != version:
        raise LedgerConflictError(
            f"the flags are not at version {version} any more",
            expected=f"version {version}, which this change was decided on",
            found=f"version {snapshot.version}",
            next_step=f"look at what changed with `switchover flags history`, then repeat with {snapshot.version}",
        )


def _refuse_new_mistakes(before: Mapping[Part, Json], after: Mapping[Part, Json]) -> None:
    """Raise `InputError` with the path of every mistake that was not there before.

    Those that were do not stand in the way: in a set with one broken flag another one can still be killed.
    """
    found = find_mistakes(after)
    known = set(find_mistakes(before)) if found else set()
    mistakes = [mistake for mistake in found if mistake not in known]
    if not mistakes:
        return
    if len(mistakes) == 1:
        raise InputError(
            f"the flags would have a mistake at {mistakes[0].path}; nothing was changed",
            expected=mistakes[0].expected,
            found=mistakes[0].found,
            next_step=_CORRECT,
        )
    shown = mistakes[:_SHOWN_MISTAKES]
    more = f" and {len(mistakes) - len(shown)} more" if len(mistakes) > len(shown) else ""
    raise InputError(
        f"the flags would have {len(mistakes)} mistakes; nothing was changed",
        expected="; ".join(f"{each.path}: {each.expected}" for each in shown),
        found="; ".join(f"{each.path}: {each.found}" for each in shown) + more,
        next_step=_CORRECT,
    )
