"""Going back by the audit trail: to a whole version, or behind one change alone."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.errors import InputError, LedgerConflictError
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Change, Edits, Json, Part, Snapshot
from switchover.operations.flag_changes import Decide


def going_back_to(store: FlagStore, version: int) -> Decide:
    """The decision that makes the set what it was at `version`.

    Raises `InputError`, when it is asked, for a version that never was or that the trail does not reach.
    """
    return lambda snapshot: plan_restore(snapshot, store.history(), version)


def taking_back(store: FlagStore, version: int) -> Decide:
    """The decision that takes back the one change that made `version`, and none of the later ones.

    Raises `InputError` when the trail does not have it, `LedgerConflictError` when later changes touched the same.
    """
    return lambda snapshot: plan_undo(snapshot, store.history(), version)


def refuse_lost_set(store: FlagStore) -> None:
    """Raise `InputError` where there is no set but signs of one: a trail, or processes that serve it.

    Whoever began a new one with a single flag there would take all others from every process.
    """
    serving = max((each.version for each in store.acknowledgements()), default=0)
    if not serving and not store.history(1):
        return
    signs = f"processes that serve its version {serving}" if serving else "its audit trail"
    raise InputError(
        "there is no set here any more",
        expected="the set that this flag belongs to, or a place where there never was one",
        found=f"no set, but {signs}: it was lost or removed",
        next_step="bring it back with `switchover flags import FILE --why …`; if a new set with this flag alone is "
        "meant, which takes all others from every process, add --new-set",
    )


def plan_restore(snapshot: Snapshot, history: Sequence[Change], version: int) -> Edits:
    """What to edit to be at the parts of `version` again: what each later change found, newest first."""
    if not 0 <= version <= snapshot.version:
        raise _no_such_version(snapshot, version)
    trail = {change.version: change for change in history}
    missing = [each for each in range(version + 1, snapshot.version + 1) if each not in trail]
    if missing:
        raise _beyond_the_trail(version, missing[-1])
    edits: dict[Part, Json] = {}
    for each in range(snapshot.version, version, -1):
        edits |= trail[each].before
    return edits


def plan_undo(snapshot: Snapshot, history: Sequence[Change], version: int) -> Edits:
    """What to edit so that only the change that made `version` is taken back."""
    if not 1 <= version <= snapshot.version:
        raise _no_such_version(snapshot, version)
    undone = next((change for change in history if change.version == version), None)
    if undone is None:
        raise InputError(
            f"version {version} cannot be taken back",
            expected="its entry in the audit trail, which says what it changed",
            found=_beyond(version),
            next_step="change what it changed by hand, or import a file that was exported before",
        )
    overwritten = [part for part, value in undone.edits.items() if snapshot.parts.get(part) != value]
    if overwritten:
        raise LedgerConflictError(
            f"version {version} cannot be taken back alone",
            expected=f"what it changed to be as it left it: {', '.join(sorted(undone.edits))}",
            found=f"changed since, or taken back already: {', '.join(sorted(overwritten))}",
            next_step=f"take back the later changes first (`switchover flags history`), or go back to the whole of "
            f"version {version - 1} with `switchover flags restore --version {version - 1}`",
        )
    return undone.before


def _no_such_version(snapshot: Snapshot, version: int) -> InputError:
    return InputError(
        f"there is no version {version}",
        expected=f"a version up to {snapshot.version}, at which the flags are",
        found=str(version),
        next_step="look at the versions with `switchover flags history`",
    )


def _beyond_the_trail(version: int, missing: int) -> InputError:
    return InputError(
        f"cannot go back to version {version}",
        expected=f"an audit trail with every change since version {version}",
        found=_beyond(missing),
        next_step=f"go back to version {missing} or a later one, or import a file that was exported then",
    )


def _beyond(missing: int) -> str:
    return f"no entry of version {missing}: the store does not keep it that long"
