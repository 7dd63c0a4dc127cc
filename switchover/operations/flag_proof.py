"""The proof of a change: which processes have said that they serve it, and which may still serve what was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Acknowledgement, Acknowledgements

FRESH_SECONDS = 2.0
"""Who was heard of within this time lives. It is a heartbeat and the time to connect anew: so long a process that
lives may be missing from a list that was lost with the server."""

_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05


class Outcome(StrEnum):
    """What a wait has shown. Only CONFIRMED is a proof."""

    CONFIRMED = "confirmed"
    """Every process that is known to follow the set has said that it serves the change."""
    LATE = "late"
    """Some have not: they serve an older version, or fell silent before they said more."""
    NOBODY = "nobody"
    """No process was heard of, for longer than one that lives needs to be heard."""
    UNSETTLED = "unsettled"
    """No process was heard of, but that was too short to say that there is none."""
    GONE = "gone"
    """The set does not have the change any more: it was lost with the server's data, or overwritten."""
    UNKNOWN = "unknown"
    """A file has no word from those who read it."""


_WHY = {
    Outcome.CONFIRMED: "",
    Outcome.LATE: "not every process has confirmed it",
    Outcome.NOBODY: "no process that follows these flags was heard of",
    Outcome.UNSETTLED: f"no process was heard of yet, and one that connects anew may take {FRESH_SECONDS:g} s",
    Outcome.GONE: "the change is not there any more: it was lost with the server's data, or overwritten",
    Outcome.UNKNOWN: "a file has no word from the processes that read it",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """Which processes serve `version` or a later one, and which have not said so by the end of the wait."""

    version: int
    outcome: Outcome
    acknowledged: tuple[Acknowledgement, ...] = ()
    missing: tuple[Acknowledgement, ...] = ()
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether there are processes and each of them has confirmed."""
        return self.outcome is Outcome.CONFIRMED

    @property
    def why(self) -> str:
        """Why it is no proof, in one line; empty when it is one."""
        return _WHY[self.outcome]


def wait_for_acknowledgements(
    store: FlagStore,
    version: int,
    timeout_seconds: float,
    *,
    mark: str = "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Proof:
    """Wait until every process serves `version` of the set as it is now, at most `timeout_seconds`.

    `mark` is that of the change which made the version, where the store leaves one. A process that falls silent before
    it confirms stays among the missing; one that ends does not. Raises `TargetError` when the store cannot be asked.
    """
    began, pause, watch = clock(), _FIRST_PAUSE_SECONDS, _Watch(version, mark)
    while True:
        heard = store.acknowledgements()
        passed = clock() - began
        outcome, final = watch.look(heard, passed)
        if final or passed >= timeout_seconds:
            return Proof(version, outcome, _sorted(watch.done.values()), _sorted(watch.late.values()), passed)
        sleep(min(pause, timeout_seconds - passed))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@dataclass(slots=True)
class _Watch:
    """What one wait has heard so far, by instance. `absent` holds the second at which a late one left the list."""

    version: int
    mark: str
    lineage: str | None = None
    done: dict[str, Acknowledgement] = field(default_factory=dict)
    late: dict[str, Acknowledgement] = field(default_factory=dict)
    absent: dict[str, float] = field(default_factory=dict)

    def look(self, heard: Acknowledgements, passed: float) -> tuple[Outcome, bool]:
        """What is shown by now, and whether waiting longer would not change it."""
        if not heard.known:
            return Outcome.UNKNOWN, True
        if not self._has_change(heard):
            return Outcome.GONE, True
        for each in heard.processes:
            self._hear(each, heard)
        self._let_go(heard, passed)
        if self.late:
            return Outcome.LATE, False
        if self.done:
            return Outcome.CONFIRMED, True
        return (Outcome.NOBODY, True) if passed >= FRESH_SECONDS else (Outcome.UNSETTLED, False)

    def _has_change(self, heard: Acknowledgements) -> bool:
        if self.lineage is None:
            self.lineage = heard.lineage
        if heard.version == self.version:
            self.mark = self.mark or heard.mark
            return heard.lineage == self.lineage and heard.mark == self.mark
        return heard.lineage == self.lineage and heard.version > self.version

    def _hear(self, process: Acknowledgement, heard: Acknowledgements) -> None:
        serves, others = (self.done, self.late) if self._serves(process, heard) else (self.late, self.done)
        serves[process.instance] = process
        others.pop(process.instance, None)
        self.absent.pop(process.instance, None)

    def _serves(self, process: Acknowledgement, heard: Acknowledgements) -> bool:
        """Two changes may have one number on two sides of a failover: there the mark tells."""
        marks = {self.version: self.mark, heard.version: heard.mark}
        same = marks.get(process.version, process.mark) == process.mark
        return process.lineage == heard.lineage and self.version <= process.version <= heard.version and same

    def _let_go(self, heard: Acknowledgements, passed: float) -> None:
        """Whoever ends takes its name off the list; but a list may be lost too, and then who lives comes back.

        Whose last word was old already when its name went does not live as far as anybody knows, and may be hanging
        with the old flags in its hands.
        """
        listed = {each.instance for each in heard.processes}
        for instance, process in tuple(self.late.items()):
            if instance in listed:
                continue
            since = self.absent.setdefault(instance, passed)
            if process.seen_seconds_ago <= FRESH_SECONDS and passed - since >= FRESH_SECONDS:
                del self.late[instance]


def _sorted(processes: Iterable[Acknowledgement]) -> tuple[Acknowledgement, ...]:
    return tuple(sorted(processes, key=lambda each: (each.host, each.pid, each.instance)))
