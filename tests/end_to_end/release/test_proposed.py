"""Versions that are proposed by a pull request, and released when that is merged."""

from __future__ import annotations

import pytest

from tests.end_to_end.release.world import World

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

BRANCH = "switchover/release"
KILLED = -9
_CHANGESET = '---\n"payments": minor\n---\n\nTake vouchers.\n'


def begin_proposing(world: World) -> set[str]:
    """Release once, then change something and let versions be proposed; the tags that there are."""
    world.finish()
    world.forget_requests()
    world.shop.checkout.git("pull", "--quiet")
    world.shop.commit("feat(status): be kind", {"services/status/www/index.html": "<h1>All is well, dear</h1>\n"})
    world.shop.configure('remote = "origin"\n', 'remote = "origin"\nversions = "pull-request"\n')
    return set(world.shop.shared.git("tag").split())


def test_versions_are_proposed_once_brought_up_to_date_and_released_when_merged(small_world: World) -> None:
    world = small_world
    released_before = begin_proposing(world)
    start = world.shop.shared.git("rev-parse", "main")
    first = world.release()
    assert first.status == 0, first.complained
    (pull,) = world.hosted.pulls
    assert first.report()["proposal"] == pull["html_url"]
    assert "status" in pull["body"]
    assert world.shop.shared.git("rev-parse", "main") == start
    assert world.shop.shared.git("rev-parse", f"{BRANCH}~1") == start
    assert set(world.shop.shared.git("tag").split()) == released_before
    assert set(world.writes()) == {"api"}

    proposed = world.shop.shared.git("rev-parse", BRANCH)
    again = world.release()
    assert again.status == 0, again.complained
    assert (world.hosted.pulls, world.shop.shared.git("rev-parse", BRANCH)) == ([pull], proposed)

    moved = world.shop.commit("feat(payments): take vouchers", {".changeset/vouchers.md": _CHANGESET})
    updated = world.release()
    assert updated.status == 0, updated.complained
    assert [each["number"] for each in world.hosted.pulls] == [pull["number"]]
    assert world.shop.shared.git("rev-parse", f"{BRANCH}~1") == moved
    assert "vouchers" in world.shop.shared.git("show", f"{BRANCH}:services/payments/CHANGELOG.md")

    merge(world)
    released = world.release()
    assert released.status == 0, released.complained
    report = released.report()
    assert {each["tag"] for each in report["components"]} == {"payments@1.1.0", "status@1.5.0"}
    assert (report["commit"], report["proposal"]) == ("", "")
    assert set(world.shop.shared.git("tag").split()) - released_before == {"payments@1.1.0", "status@1.5.0"}
    assert len(world.hosted.pulls) == 1
    assert not world.complaints()
    world.forget_requests()
    assert not world.release().report()["changed"]
    assert world.writes() == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("death", ["history.write_commit", "remote.push_commit", "forge.propose"])
def test_a_proposal_that_was_killed_ends_as_one_pull_request(small_world: World, death: str, when: str) -> None:
    world = small_world
    tags = begin_proposing(world)
    start = world.shop.checkout.git("rev-parse", "HEAD")
    _, effects = world.run()
    wanted = (world.shop.shared.git("for-each-ref"), world.hosted.pulls)
    number = next(index for index, effect in enumerate(effects) if effect.startswith(death))

    world.shop.shared.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    world.hosted.pulls = []
    status, _ = world.run(2 * number + (when == "after"))
    assert status == KILLED
    assert world.finish()["proposal"]
    (pull,) = world.hosted.pulls
    (before,) = wanted[1]
    assert (pull["title"], pull["body"]) == (before["title"], before["body"])
    assert world.shop.shared.git("for-each-ref") == wanted[0]
    assert world.shop.checkout.git("rev-parse", "HEAD") == start
    assert set(world.shop.shared.git("tag").split()) == tags


def merge(world: World) -> None:
    """Merge the pull request, as its button does."""
    checkout = world.shop.checkout
    checkout.git("fetch", "--quiet", "origin", BRANCH)
    checkout.git("merge", "--quiet", "--no-ff", "--message", "Merge pull request", "FETCH_HEAD")
    checkout.git("push", "--quiet", "origin", "HEAD:main")
    checkout.git("push", "--quiet", "origin", "--delete", BRANCH)
    for pull in world.hosted.pulls:
        pull["state"] = "closed"
