"""Progress from the ledger: a line for every move of a service's rollout, also for those that were too quick to see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from switchover.errors import SwitchoverError
from switchover.model import HistoryEntry, Phase, Rollout
from switchover.ports import Ledger

_LOOK_SECONDS = 0.1

_Move = tuple[Phase, int]


@contextmanager
def follow(ledger: Ledger, service: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say every move of the rollout that the body begins. One that was in flight before is somebody else's."""
    ended = threading.Event()
    foreign = _read_rollout(ledger, service)
    earlier = foreign.id if foreign else ""
    follower = threading.Thread(target=_follow, args=(ledger, service, say, ended, earlier), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join(timeout=5)


def _follow(ledger: Ledger, service: str, say: Callable[[str], None], ended: threading.Event, earlier: str) -> None:
    teller = Teller(say)
    is_last = False
    while not is_last:
        is_last = ended.wait(_LOOK_SECONDS)  # then there is one more look: the body's last moves
        try:
            _look(ledger, service, teller, earlier)
        except SwitchoverError:
            continue  # whoever changes the ledger meets the same trouble and tells it


def _look(ledger: Ledger, service: str, teller: Teller, earlier: str) -> None:
    rollout = _read_rollout(ledger, service)
    before = teller.rollout
    if before is not None and (rollout is None or rollout.id != before.id):
        teller.hear_end(next((entry for entry in ledger.read_history(service, 10) if entry.id == before.id), None))
    if rollout is not None and rollout.id != earlier:
        teller.hear(rollout)


def _read_rollout(ledger: Ledger, service: str) -> Rollout | None:
    known = ledger.read().services.get(service)
    return known.rollout if known else None


@dataclass(slots=True)
class Teller:
    """Tells the moves of a rollout, each once and in their order, however few looks there were."""

    say: Callable[[str], None]
    rollout: Rollout | None = None
    _moves: int = 0
    _reasons: int = 0

    def hear(self, rollout: Rollout) -> None:
        """Tell what must have happened up to this look."""
        if self.rollout is None:
            self._moves = self._reasons = 0
        self.rollout = rollout
        if rollout.phase is Phase.RETREATING:
            self._tell_retreat(rollout)
            return
        moves = plan_moves(rollout)
        here = (rollout.phase, rollout.canary_percent)
        if here in moves[self._moves :]:
            self._tell_moves(rollout, moves.index(here, self._moves) + 1)

    def hear_end(self, entry: HistoryEntry | None) -> None:
        """Tell what was left to tell of a rollout that is in flight no more; None: nobody knows its end."""
        rollout, self.rollout = self.rollout, None
        if rollout is None or entry is None:
            return
        if entry.outcome == Phase.LIVE.value:
            self._tell_moves(rollout, len(plan_moves(rollout)))
        else:
            self._tell_retreat(replace(rollout, phase=Phase.RETREATING, canary_percent=0, reasons=entry.reasons))

    def _tell_moves(self, rollout: Rollout, end: int) -> None:
        for phase, percent in plan_moves(rollout)[self._moves : end]:
            self.say(describe_move(replace(rollout, phase=phase, canary_percent=percent)))
        self._moves = end

    def _tell_retreat(self, rollout: Rollout) -> None:
        """A line for each reason: the first is why, the later ones are what became of it."""
        for count in range(self._reasons, len(rollout.reasons)):
            self.say(describe_move(replace(rollout, reasons=rollout.reasons[: count + 1])))
        self._reasons = len(rollout.reasons)


def plan_moves(rollout: Rollout) -> tuple[_Move, ...]:
    """The moves of a rollout that goes well, with the share of the new colour at each."""
    shares = [step.canary_percent for step in rollout.steps] or [0]
    before = [(phase, 0) for phase in (Phase.PREPARING, Phase.STARTING, Phase.TESTING)]
    shifting = [(Phase.SHIFTING, share) for share in shares if rollout.steps]
    moves = [*before, *shifting, (Phase.BAKING, shares[-1]), (Phase.FINALIZING, 100)]
    return tuple(move for index, move in enumerate(moves) if index == 0 or move != moves[index - 1])


def describe_move(rollout: Rollout) -> str:
    """Where the rollout is, in one line, with the reason that was given last."""
    line = f"{rollout.service} {rollout.release.version} on {rollout.new_colour}: {rollout.phase}"
    line += f", {rollout.canary_percent} % of the traffic"
    return f"{line} ({rollout.reasons[-1].message})" if rollout.reasons else line
