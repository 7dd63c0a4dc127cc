"""The release that never hears of something that was done: of each write in turn the answer is lost on its way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.release.conftest import OpenWorld
from tests.end_to_end.release.gate import Fate, always, lose_write
from tests.end_to_end.release.sameness import require_published_once, require_same

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

# How many writes a release of the small part sends to each place; that it is this is a test of its own.
WRITES = {"npm": 2, "images": 28, "api": 9, "uploads": 10}
CELLS = [(place, number) for place, count in WRITES.items() for number in range(count)]


def test_a_release_sends_exactly_the_writes_whose_answers_are_lost(undisturbed: dict[str, Any]) -> None:
    assert {place: len(writes) for place, writes in undisturbed["writes"].items()} == WRITES


@pytest.mark.parametrize(("place", "number"), CELLS)
def test_a_release_that_does_not_hear_what_it_did_ends_the_same_when_it_runs_again(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path, place: str, number: int
) -> None:
    world = open_small_world(tmp_path)
    began = time.monotonic()
    gate = world.parts.gates[place]
    gate.reset(lose_write(number))
    first = world.release_or_refuse()
    assert len(gate.writes) > number
    if first.status:
        assert first.status == 1, first.complained
        assert "next:" in first.complained
        assert "Traceback" not in first.complained
    gate.judge = always(Fate.PASSED)
    world.finish()
    note_figures(
        f"an answer lost and run again: {place} {number}", seconds=time.monotonic() - began, first=first.status
    )
    require_same(world, undisturbed["state"])
    require_published_once(world)
