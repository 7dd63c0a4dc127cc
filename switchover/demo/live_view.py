"""Progress on a terminal, drawn anew several times a second: the phases, the colours, the load, the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from switchover.demo.figures import PhaseFigures
from switchover.demo.load_report import Interval, read_load
from switchover.demo.monitor import Sight
from switchover.demo.progress import Progress, describe_figures
from switchover.demo.records import LOAD_NUMBER, Move, PhaseRecord, RolloutRecord, Scene
from switchover.errors import SwitchoverError
from switchover.model import Colour, Phase

_FRAMES_PER_SECOND = 4
_BAR_WIDTH = 30
_HISTORY_SECONDS = 40
_SPARKS = "▁▂▃▄▅▆▇█"
_MESSAGES = 3
_OUTCOME_WIDTH = 12
# Border and padding of the panel, the column of marks, and what is between the columns.
_FRAME_WIDTH = 4 + 1 + 2


@dataclass(slots=True)
class LiveView:
    """Shows `progress` while the body of its `with` runs."""

    progress: Progress
    load_file: Path
    console: Console
    _live: Live | None = None
    _intervals: tuple[Interval, ...] = ()
    _read_at: float = 0.0
    _messages: list[str] = field(default_factory=list)
    _rollout: str = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live = Live(
            get_renderable=self.draw,
            console=self.console,
            refresh_per_second=_FRAMES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Show it among the last words."""
        self._messages = [*self._messages, " ".join(text.split())][-_MESSAGES:]

    def begin(self, scene: Scene) -> None:  # noqa: ARG002 - the list of phases shows which
        """Forget what was said of the phase before."""
        self.progress.verdict = self._rollout = ""

    def end(self, record: PhaseRecord, figures: PhaseFigures) -> None:
        """The list of phases shows it."""

    def moved(self, rollout: RolloutRecord, move: Move) -> None:
        """Show where the rollout is, and why it goes back."""
        self._rollout = f"{rollout.version} on {rollout.new_colour}: {move.phase}"
        if rollout.reasons and move.phase is Phase.RETREATING:
            self.progress.verdict = rollout.reasons[-1]

    def hear(self, verdict: str) -> None:
        """Show what the judge says."""
        self.progress.verdict = verdict

    def draw(self) -> RenderableType:
        """One frame."""
        self._read_load()
        elapsed = time.time() - self.progress.began
        body = Group(
            self._draw_phases(),
            Text(),
            self._draw_colours(),
            Text(),
            self._draw_load(),
            Text.assemble(("judge    ", "dim"), self.progress.verdict or "–", overflow="ellipsis", no_wrap=True),
            Text(),
            *(Text(message, style="dim", overflow="ellipsis", no_wrap=True) for message in self._messages),
        )
        return Panel(body, title="switchover demo", subtitle=f"{elapsed:.0f} s", title_align="left", padding=(0, 1))

    def _draw_phases(self) -> RenderableType:
        scenes = self.progress.scenes
        titles = {scene: f"{scene.number}. {scene.title}" for scene in scenes}
        widest = max(len(title) for title in titles.values())
        room = self.console.width - _FRAME_WIDTH - widest
        grid = Table.grid(padding=(0, 1))
        # Only the last column gives way to a narrow terminal.
        grid.add_column(no_wrap=True, width=1)
        grid.add_column(no_wrap=True, width=widest)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for index, scene in enumerate(scenes):
            done = self.progress.ended.get(scene.title)
            if done:
                record, figures = done
                told = describe_figures(figures, room - _OUTCOME_WIDTH)
                result = Text.assemble(record.outcome.ljust(_OUTCOME_WIDTH), (told, "dim"))
                grid.add_row(Text("✓", "green"), Text(titles[scene]), result)
            elif scene is self.progress.playing:
                grid.add_row(Text("▶", "bold yellow"), Text(titles[scene], "bold"), Text(self._rollout, "yellow"))
            else:
                grid.add_row(Text("·", "dim"), Text(titles[scene], "dim"), Text())
            if index == 0:
                grid.add_row(*self._draw_load_phase())
        return grid

    def _draw_load_phase(self) -> tuple[Text, Text, Text]:
        """The load is a phase of its own that lasts to the end, beside all that follow."""
        title = f"{LOAD_NUMBER}. constant load"
        if not self._intervals:
            return Text("·", "dim"), Text(title, "dim"), Text()
        mark = "✓" if len(self.progress.ended) == len(self.progress.scenes) else "▶"
        return Text(mark, "green"), Text(title), Text("from here to the end, see below", "dim")

    def _draw_colours(self) -> RenderableType:
        sight = self.progress.sight()
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=6)
        grid.add_column(width=10)
        grid.add_column(width=_BAR_WIDTH)
        grid.add_column(justify="right", width=6)
        grid.add_column()
        for colour, style in ((Colour.BLUE, "dodger_blue1"), (Colour.GREEN, "green3")):
            version = _version_on(sight, colour)
            percent = sight.route.percent(colour) if sight and sight.route and version else 0
            filled = round(_BAR_WIDTH * percent / 100)
            bar = Text("█" * filled, style) + Text("░" * (_BAR_WIDTH - filled), "dim")
            role = "live" if sight and sight.live is colour else "new" if version else ""
            grid.add_row(
                Text(colour.value, style), version or Text("empty", "dim"), bar, f"{percent} %", Text(role, "dim")
            )
        return grid

    def _draw_load(self) -> RenderableType:
        if not self._intervals:
            return Text.assemble(("load     ", "dim"), "not yet")
        last = self._intervals[-1]
        recent = self._intervals[-_HISTORY_SECONDS:]
        seconds = max(0.001, last.end - last.begin)
        failed = sum(part.failed for part in self._intervals)
        total = sum(part.finished for part in self._intervals)
        rates = Text.assemble(
            ("load     ", "dim"),
            f"{last.finished / seconds:.0f} requests/s, {_percent(last.failed, last.finished):.1f} % errors, ",
            f"p99 {last.p99_ms or 0:.0f} ms; {total} so far, {failed} failed",
            no_wrap=True,
            overflow="ellipsis",
        )
        sparks = Text.assemble(
            ("errors   ", "dim"), (_spark([_percent(part.failed, part.finished) for part in recent]), "red")
        )
        return Group(rates, sparks)

    def _read_load(self) -> None:
        if time.monotonic() - self._read_at < 1.0:
            return
        self._read_at = time.monotonic()
        try:
            self._intervals = read_load(self.load_file).intervals
        except (SwitchoverError, OSError):
            return  # a frame without news; the end of the demonstration reads it again and complains


def _version_on(sight: Sight | None, colour: Colour) -> str:
    if sight is None:
        return ""
    return sight.blue if colour is Colour.BLUE else sight.green


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _spark(values: list[float]) -> str:
    highest = max(*values, 2.0) if len(values) > 1 else 2.0
    return "".join(_SPARKS[min(len(_SPARKS) - 1, round(value / highest * (len(_SPARKS) - 1)))] for value in values)
