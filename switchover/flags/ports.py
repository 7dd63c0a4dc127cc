"""What the flags ask of a place that keeps them.

Every store passes the contract suite `tests/contracts/test_flag_store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from switchover.flags.context import Context
from switchover.flags.flag_set import FlagSet
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Acknowledgements, Change, Edits, Note, Snapshot


class FlagStore(Protocol):
    """The operator's side. Errors are those of `switchover.errors`."""

    def read(self) -> Snapshot:
        """The set as it is now. Raises `TargetError` when the place is silent, `LedgerUnreadableError` when broken."""

    def write(self, expected: Snapshot, edits: Edits, note: Note) -> Change:
        """Make the next version, together with its entry in the audit trail, or nothing at all.

        Raises `LedgerConflictError` when the set is not at `expected`'s version and lineage any more.
        """

    def history(self, limit: int | None = None) -> Sequence[Change]:
        """The audit trail, newest first, as far back as the place keeps it."""

    def acknowledgements(self) -> Acknowledgements:
        """The processes that follow this set, and what it is at the same moment; not `known` for a file."""


class Listener(Protocol):
    """The application's side of a feed: the client. Called from one thread at a time, never concurrently."""

    @property
    def served(self) -> Snapshot:
        """What answers come from now: an older set where it could not use the one that it got. May always be asked.

        This is what a feed may say of the process, not what it has handed over.
        """

    def replace(self, snapshot: Snapshot, *, vouched: bool = True, age_seconds: float | None = None) -> None:
        """This is the whole set now. What it cannot use it tries again when a `confirm` comes.

        Not `vouched`: it is the one that was known last, and the place has not been heard of since; `age_seconds` is
        how long that is, None: as long as the listener knows.
        """

    def apply(self, snapshot: Snapshot, edits: Edits) -> None:
        """`edits` led from the set before to this `snapshot`; else like `replace`."""

    def confirm(self) -> None:
        """The place has just said that the set is the one that was handed over last."""

    def lose(self, why: str) -> None:
        """The place cannot be asked: what we have may be old. Said once, until `confirm`."""


class FlagFeed(Protocol):
    """Brings the set and every change of it to a listener, from a thread of its own."""

    def start(self, listener: Listener) -> None:
        """Begin; return at once when the set cannot be had at once. Never raises for a silent place.

        Hands over all it knows, also where it was started before: a fork may have come between the feed and its
        listener.
        """

    def stop(self) -> None:
        """End and join the thread. May be started again (after a fork)."""


class Recorder(Protocol):
    """Counts answers and events, off the path of the evaluations."""

    def swapped(self, flag_set: FlagSet) -> None:
        """The client answers from this set from now on; what the one before has counted is still to be read."""

    def exposed(self, resolution: Resolution, context: Context) -> None:
        """An answer of a flag that is an experiment (`resolution.experiment`) was given to this context."""

    def tracked(self, event: str, context: Context, value: float | None) -> None:
        """Something happened that an experiment may be judged by."""

    def start(self) -> None:
        """Begin to flush in the background. May be called again after a fork."""

    def stop(self) -> None:
        """Flush once more and end."""
