"""Whose a flag is while it is rolled out: the run's, until somebody else changes it."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.errors import FencedError
from switchover.flags.ports import FlagStore
from switchover.flags.rollout_trail import FlagRollout, find_steps, is_last
from switchover.flags.snapshot import Change

_RECENT = 20


def require_ours(store: FlagStore, rollout: FlagRollout) -> None:
    """Raise `FencedError` when the flag was changed by somebody else since this run's last step."""
    if is_last(store.history(_RECENT), rollout.flag, rollout.run):
        return
    history = store.history()
    if find_steps(history, rollout.flag, rollout.run) and not is_last(history, rollout.flag, rollout.run):
        raise FencedError(
            f"the rollout of {rollout.flag} was taken over",
            expected="the flag as this rollout has left it",
            found="a later change by somebody else",
            next_step="nothing: what they made of it counts (`switchover flags history`)",
        )


def require_still_ours(store: FlagStore, rollout: FlagRollout, seen: Change | None) -> Change | None:
    """As `require_ours`, by the changes since `seen` alone: what the last call returned, the newest of the set.

    The trail may be long and others may change other flags all day; a look reads what is new, once.
    """
    newest = next(iter(store.history(1)), None)
    if newest is not None and newest == seen:
        return seen
    fresh = _read_since(store, seen, newest)
    if fresh is None or any(f"flags/{rollout.flag}" in change.edits for change in fresh):
        require_ours(store, rollout)
    return newest


def _read_since(store: FlagStore, seen: Change | None, newest: Change | None) -> Sequence[Change] | None:
    """The changes after `seen`; None where the trail does not lead back to it (somebody began anew, or right now)."""
    if seen is None or newest is None or newest.version <= seen.version:
        return None
    found = store.history(newest.version - seen.version + 1)
    return found[:-1] if found and found[-1] == seen else None
