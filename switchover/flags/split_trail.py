"""Since when a flag spreads its units as it does now, as the audit trail tells it. Times are ms since 1970."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.flags.snapshot import Change, Json
from switchover.flags.splits import find_split


def find_split_start(history: Sequence[Change], flag: str) -> int:
    """When the split was last changed; 0 where the trail, newest first, does not reach back to that.

    Units that were enrolled before had other chances: together with those after they prove nothing. Of a flag that
    was removed it is the split that it had last.
    """
    for change, before, after in _steps(history, flag):
        if after is None:
            continue
        now, then = find_split(after), find_split(before)
        if now is None or then is None or not now.spreads_like(then):
            return _milliseconds(change)
    return 0


def find_trusted_start(history: Sequence[Change], flag: str, variant: str) -> int:
    """Since when the variant's share has not fallen: at no moment since then did it have more than it has now.

    Who was given the variant earlier may not have it any more.
    """
    for change, before, after in _steps(history, flag):
        given, given_before = find_split(after), find_split(before)
        if given is None or given_before is None or given.share(variant) < given_before.share(variant):
            return _milliseconds(change)
    return _milliseconds(history[-1]) if history else 0


def _steps(history: Sequence[Change], flag: str) -> list[tuple[Change, Json, Json]]:
    """The changes of the flag, newest first, with its JSON before and after."""
    part = f"flags/{flag}"
    return [(change, change.before.get(part), change.edits[part]) for change in history if part in change.edits]


def _milliseconds(change: Change) -> int:
    return int(change.at.timestamp() * 1000)
