"""The proof of a change: which live processes have said that they serve it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from switchover.flags.file_store import FileStore
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Acknowledgement

_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05
# A process that ends takes its name off the list while it is still fresh. One whose name ran out was silent for
# longer than this: it may be hanging, with the old flags in its hands.
_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Proof:
    """Which live processes serve `version` or a later one, and which have not said so by the end of the wait.

    `known` is False for a file, which has no word from those who read it: then nothing is proven.
    """

    version: int
    acknowledged: tuple[Acknowledgement, ...]
    missing: tuple[Acknowledgement, ...]
    seconds: float
    known: bool = True

    @property
    def complete(self) -> bool:
        """Whether every live process has confirmed."""
        return self.known and not self.missing


def wait_for_acknowledgements(
    store: FlagStore,
    version: int,
    timeout_seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Proof:
    """Wait until every live process serves `version` of the set as it is now, at most `timeout_seconds`.

    A process that falls silent meanwhile stays among the missing; one that ends does not. Raises `TargetError` when
    the store cannot be asked.
    """
    if isinstance(store, FileStore):
        return Proof(version, (), (), 0.0, known=False)
    lineage, began, pause = store.read().lineage, clock(), _FIRST_PAUSE_SECONDS
    late: dict[str, Acknowledgement] = {}
    while True:
        processes = store.acknowledgements()
        done = tuple(each for each in processes if each.lineage == lineage and each.version >= version)
        late = _still_late(late, processes, done)
        passed = clock() - began
        if not late or passed >= timeout_seconds:
            return Proof(version, _sorted(done), _sorted(late.values()), passed)
        sleep(min(pause, timeout_seconds - passed))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _still_late(
    late: dict[str, Acknowledgement], processes: Sequence[Acknowledgement], done: Sequence[Acknowledgement]
) -> dict[str, Acknowledgement]:
    """Those without the version: all that live and have not said it, and those that fell silent before they did."""
    listed = {each.instance for each in processes}
    silent = {
        instance: each
        for instance, each in late.items()
        if instance not in listed and each.seen_seconds_ago > _FRESH_SECONDS
    }
    confirmed = {each.instance for each in done}
    return silent | {each.instance: each for each in processes if each.instance not in confirmed}


def _sorted(processes: Iterable[Acknowledgement]) -> tuple[Acknowledgement, ...]:
    return tuple(sorted(processes, key=lambda each: (each.host, each.pid, each.instance)))
