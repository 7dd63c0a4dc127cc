"""How a deployment went, by the effects that it had on the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.errors import SwitchoverError
from switchover.model import Colour, HistoryEntry
from tests.end_to_end.kubernetes.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one deployment went. `error` is what it raised, None when it came live; `entry` is its history, None when
    somebody else has ended it.

    `exposed` is when the new colour got its first users, `decided` when it was known that they must go back,
    `restored` when they were back; seconds of the epoch, None where it did not come to that. `ended`: all is over.
    """

    colour: Colour
    began: float
    started: float | None
    exposed: float | None
    decided: float
    restored: float | None
    ended: float
    entry: HistoryEntry | None
    error: SwitchoverError | None = None

    @property
    def detection_seconds(self) -> float:
        """From the first user of the new colour (or its start, if it had none) to the decision."""
        return self.decided - (self.exposed or self.started or self.began)

    @property
    def rollback_seconds(self) -> float:
        """From the decision to the confirmed return of all users; where none was away, to the empty colour."""
        return (self.restored or self.ended) - self.decided

    @property
    def message(self) -> str:
        return "" if self.error is None else str(self.error)


def read_attempt(
    timeline: Timeline,
    colour: Colour,
    began: float,
    failed_at: float,
    entry: HistoryEntry | None,
    error: SwitchoverError | None,
) -> Attempt:
    """From the effects that a deployment of this colour had; `failed_at` is when it raised."""
    started, exposed, back = timeline.first("start"), timeline.first_share(colour), timeline.taken_back(colour)
    confirmed = timeline.first("confirm_route", back.began) if back else None
    return Attempt(
        colour=colour,
        began=began,
        started=started.began if started else None,
        exposed=exposed.began if exposed else None,
        decided=back.began if back else failed_at,
        restored=confirmed.ended if confirmed else None,
        ended=max((moment.ended for moment in timeline.moments), default=failed_at),
        entry=entry,
        error=error,
    )
