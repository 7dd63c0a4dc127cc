"""The live view fits the terminals that people have."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from switchover.demo.live_view import LiveView
from switchover.demo.progress import Progress
from switchover.demo.story import plan_scenes
from tests.demo.made_up import make_load, make_records, play


@pytest.mark.parametrize("width", [80, 100, 104, 112, 140, 200])
def test_every_mark_every_title_and_every_outcome_is_whole(width: int) -> None:
    scenes = plan_scenes(bad_runs=3)
    progress = Progress(scenes)
    ended = play(make_records(), make_load())[2]
    progress.ended = dict.fromkeys((scene.title for scene in scenes[:-1]), ended)
    progress.playing = scenes[-1]
    console = Console(file=io.StringIO(), width=width, record=True, force_terminal=True)
    console.print(LiveView(progress, Path("no-load-yet"), console).draw())
    lines = console.export_text().splitlines()
    for scene in scenes[:-1]:
        (line,) = (line for line in lines if f"✓ {scene.number}. {scene.title} " in line)
        assert f"{ended[0].outcome} " in line
        assert f"{ended[1].failed} failed" in line
        assert "…" not in line
    assert any(f"▶ {scenes[-1].number}. {scenes[-1].title} " in line for line in lines)
    assert any("· 2. constant load " in line for line in lines)
    assert {len(line) for line in lines if line} == {width}
