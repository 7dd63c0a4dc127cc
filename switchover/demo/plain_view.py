"""Progress as plain lines, for pipes and logs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TextIO

from switchover.demo.figures import PhaseFigures
from switchover.demo.progress import Progress, describe_figures
from switchover.demo.records import Move, PhaseRecord, RolloutRecord, Scene


@dataclass(slots=True)
class PlainView:
    """Writes a line for whatever happens."""

    progress: Progress
    out: TextIO

    def say(self, text: str) -> None:
        """Write it."""
        elapsed = time.time() - self.progress.began
        self.out.write(f"{elapsed:6.1f} s  {text}\n")
        self.out.flush()

    def begin(self, scene: Scene) -> None:
        """Write the phase's title."""
        self.say(f"== {scene.number}. {scene.title}")

    def end(self, record: PhaseRecord, figures: PhaseFigures) -> None:
        """Write how it went."""
        self.say(f"   {record.outcome}: {describe_figures(figures)}")

    def moved(self, rollout: RolloutRecord, move: Move) -> None:
        """Write where it is."""
        reason = f" ({rollout.reasons[-1]})" if rollout.reasons else ""
        self.say(f"   {rollout.version} on {rollout.new_colour}: {move.phase}, {move.canary_percent} %{reason}")

    def hear(self, verdict: str) -> None:
        """Verdicts come every second: too many for lines. The one that matters is a rollout's reason."""
