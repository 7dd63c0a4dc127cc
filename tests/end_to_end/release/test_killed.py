"""The release whose process is killed right before and right after each of its effects, and run again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.release.conftest import OpenWorld
from tests.end_to_end.release.doomed import EFFECTS
from tests.end_to_end.release.sameness import require_published_once, require_same

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

KILLED = -9
# Everything that a release of the small part does, in its order; that it is this is a test of its own.
WAY = tuple((Path(__file__).parent / "effects.txt").read_text(encoding="utf-8").splitlines())
# Right after an effect the world is as right before the next one: only after the last one it is not met otherwise.
CELLS = [*((number, "before") for number in range(len(WAY))), (len(WAY) - 1, "after")]
# What is done only where versions are proposed, and where a release that was begun has no mark.
ELSEWHERE = {"forge.propose", "history.mark", "history.write_commit", "remote.push_commit"}


def test_a_release_has_exactly_the_effects_that_are_killed_at(undisturbed: dict[str, Any]) -> None:
    assert tuple(undisturbed["effects"]) == WAY, "effects.txt should be:\n" + "\n".join(undisturbed["effects"])
    known = {f"{port}.{name}" for port, names in EFFECTS.items() for name in names}
    assert known - {effect.partition(" ")[0] for effect in WAY} == ELSEWHERE


def test_what_is_remembered_is_what_a_second_build_and_scan_give(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path
) -> None:
    world = open_small_world(tmp_path, remembers=False)
    world.finish()
    assert world.state() == undisturbed["state"]


@pytest.mark.parametrize(("number", "when"), CELLS, ids=[f"{number}-{when}-{WAY[number]}" for number, when in CELLS])
def test_a_release_that_was_killed_ends_the_same_when_it_runs_again(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path, number: int, when: str
) -> None:
    world = open_small_world(tmp_path)
    began = time.monotonic()
    status, effects = world.run(2 * number + (when == "after"))
    assert (status, effects) == (KILLED, list(WAY[: number + 1]))
    report = world.finish()
    require_same(world, undisturbed["state"])
    require_published_once(world)
    note_figures(
        f"killed and run again: {when} {WAY[number]}", seconds=time.monotonic() - began, changed=report["changed"]
    )
    world.forget_requests()
    assert not world.finish()["changed"]
    assert not world.writes()
