"""Two releases of one repository at once, and a release that another machine goes on with."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.release.conftest import OpenWorld
from tests.end_to_end.release.gate import Fate, always
from tests.end_to_end.release.sameness import require_published_once, require_same
from tests.end_to_end.release.world import World

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

_SECONDS = 120
# Where the first machine dies, as effects of a whole release, and what the second then has to do.
DEATHS = (
    "remote.push_marks",
    "signer.sign_image",
    "destination.publish @acme/money@0.3.0",
    "destination.publish status@1.4.0",
    "remote.push_tag @acme/money@0.3.0",
    "remote.push_tag status@1.4.0",
    "forge.draft_release @acme/money@0.3.0",
    "forge.upload_asset @acme/money@0.3.0 manifest.json",
    "forge.publish_release @acme/money@0.3.0",
    "destination.move_pointer status@1.4.0 1.4",
    "remote.drop_marks",
)


@pytest.mark.parametrize("place", ["the same checkout", "another clone"])
def test_the_second_of_two_releases_at_once_is_refused_and_the_first_ends_undisturbed(
    undisturbed: dict[str, Any], small_world: World, place: str
) -> None:
    world = small_world
    other = world.shop if place == "the same checkout" else world.shop.clone_anew("other")
    world.parts.npm.reset(always(Fate.HELD))
    with world.start("release", "--direct", "--json") as first:
        assert world.parts.npm.reached.wait(_SECONDS)
        before = world.shop.shared.git("for-each-ref")
        second = world.release(shop=other)
        assert second.status == 1
        assert "under way" in second.complained or "process" in second.complained, second.complained
        assert world.shop.shared.git("for-each-ref") == before
        world.parts.npm.go_on.set()
        _, complained = first.communicate(timeout=_SECONDS)
    assert first.returncode == 0, complained
    require_same(world, undisturbed["state"])
    require_published_once(world)
    world.forget_requests()
    after = world.release(shop=other)
    assert after.status == 0, after.complained
    assert (after.report()["changed"], world.writes()) == (False, {})


def test_the_second_of_two_releases_can_wait_for_the_first_and_then_does_nothing(
    undisturbed: dict[str, Any], small_world: World
) -> None:
    world = small_world
    other = world.shop.clone_anew("other")
    world.parts.npm.reset(always(Fate.HELD))
    with world.start("release", "--direct", "--json") as first:
        assert world.parts.npm.reached.wait(_SECONDS)
        with world.start("release", "--direct", "--json", "--wait", "300", shop=other) as second:
            world.parts.npm.go_on.set()
            _, complained = first.communicate(timeout=_SECONDS)
            assert first.returncode == 0, complained
            printed, complained = second.communicate(timeout=_SECONDS)
            assert second.returncode == 0, complained
    assert '"changed": false' in printed
    require_same(world, undisturbed["state"])
    require_published_once(world)


@pytest.mark.parametrize("death", DEATHS)
def test_another_machine_without_the_store_goes_on_where_one_was_killed(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path, death: str
) -> None:
    world = open_small_world(tmp_path)
    began = time.monotonic()
    number = next(index for index, effect in enumerate(undisturbed["effects"]) if effect.startswith(death))
    world.run(2 * number + 1)
    shutil.rmtree(world.shop.checkout.root)
    world.shop = world.shop.clone_anew("other")
    world.finish()
    note_figures(f"killed and gone on with elsewhere: after {death}", seconds=time.monotonic() - began)
    # What was done elsewhere is not in this machine's store.
    require_same(world, undisturbed["state"], store=world.state()["store"])
    require_published_once(world)
    world.forget_requests()
    assert not world.finish()["changed"]
    assert not world.writes()
