"""How far the demonstration is: what every view shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from switchover.demo.figures import PhaseFigures
from switchover.demo.monitor import Sight
from switchover.demo.records import Move, PhaseRecord, RolloutRecord, Scene


def _nothing() -> None:
    """What is seen before there is anything to see."""


@dataclass(slots=True)
class Progress:
    """The scenes with what became of them, and the last words. Written by one thread, read by the view's.

    `sight` says how the environment stands.
    """

    scenes: tuple[Scene, ...]
    began: float = field(default_factory=time.time)
    ended: dict[str, tuple[PhaseRecord, PhaseFigures]] = field(default_factory=dict)
    playing: Scene | None = None
    verdict: str = ""
    sight: Callable[[], Sight | None] = _nothing


class View(Protocol):
    """Shows the progress to a person."""

    def say(self, text: str) -> None:
        """Something a reader should know."""

    def begin(self, scene: Scene) -> None:
        """A phase begins."""

    def end(self, record: PhaseRecord, figures: PhaseFigures) -> None:
        """A phase has ended."""

    def moved(self, rollout: RolloutRecord, move: Move) -> None:
        """A rollout has moved."""

    def hear(self, verdict: str) -> None:
        """The judge has spoken."""


def describe_figures(figures: PhaseFigures, room: int = sys.maxsize) -> str:
    """One line for the end of a phase: the fullest that is not longer than `room`."""
    seen = "" if figures.detection_seconds is None else f"seen after {figures.detection_seconds:.1f} s"
    back = "" if figures.rollback_seconds is None else f"back after {figures.rollback_seconds:.2f} s"
    failed = f"{figures.failed} failed"
    ways = ((f"{figures.requests} requests", failed, seen, back), (failed, seen, back), (failed, back), (failed,))
    lines = [", ".join(part for part in parts if part) for parts in ways]
    return next((line for line in lines if len(line) <= room), lines[-1])
