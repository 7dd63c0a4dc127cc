"""A released version that is taken back, as far as each registry allows."""

from __future__ import annotations

import pytest

from tests.end_to_end.release.state import read_images, read_package
from tests.end_to_end.release.world import World

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

REASON = "It loses orders."


def read_code(world: World) -> str:
    """What the package money has now."""
    return (world.shop.checkout.root / "packages/money/index.js").read_text(encoding="utf-8")


def release_second(world: World) -> None:
    """Release money 0.3.1 and status 1.4.1 after 0.3.0 and 1.4.0."""
    world.finish()
    world.shop.checkout.git("pull", "--quiet")
    world.shop.commit(
        "fix: be exact",
        {
            "packages/money/index.js": (world.shop.checkout.root / "packages/money/index.js").read_text()
            + "// exact\n",
            "services/status/www/index.html": "<h1>All is very well</h1>\n",
        },
    )
    report = world.finish()
    assert {each["tag"] for each in report["components"]} == {"@acme/money@0.3.1", "status@1.4.1"}


def test_a_version_is_taken_back_everywhere_once_and_the_next_one_goes_above_it(small_world: World) -> None:
    world = small_world
    release_second(world)
    before = read_images(world.parts, "acme/status")
    for version in ("@acme/money@0.3.1", "status@1.4.1"):
        done = world.withdraw(version)
        assert done.status == 0, done.complained + done.printed
        assert [each["complete"] for each in done.report()["withdrawn"]] == [True]
    package = read_package(world.parts, "@acme/money")
    assert package["tags"] == {"latest": "0.3.0"}
    assert {version: told for version, (_, told) in package["versions"].items()} == {"0.3.0": "", "0.3.1": REASON}
    images = read_images(world.parts, "acme/status")
    assert images == before | dict.fromkeys(("1", "1.4", "latest"), before["1.4.0"])
    texts = {page["tag_name"]: page["body"] for page in world.hosted.releases.values()}
    assert texts["status@1.4.1"].startswith(f"**Withdrawn:** {REASON}")
    assert not texts["status@1.4.0"].startswith("**Withdrawn")
    assert "withdrawn/status@1.4.1" in world.shop.shared.git("tag").split()

    state = world.state()
    world.forget_requests()
    for version in ("@acme/money@0.3.1", "status@1.4.1"):
        assert world.withdraw(version).status == 0
    assert world.state() == state
    assert world.writes() == {}
    assert not world.finish()["changed"]
    assert world.state() == state

    world.shop.commit("fix: lose no order", {"services/status/www/index.html": "<h1>All is well again</h1>\n"})
    report = world.finish()
    assert [each["tag"] for each in report["components"]] == ["status@1.4.2"]
    images = read_images(world.parts, "acme/status")
    assert {each: images[each][0] for each in ("1", "1.4", "latest")} == dict.fromkeys(
        ("1", "1.4", "latest"), images["1.4.2"][0]
    )


def test_what_a_registry_does_not_allow_is_said_and_the_rest_is_done(small_world: World) -> None:
    world = small_world
    world.finish()
    npm = world.withdraw("@acme/money@0.3.0")
    assert "npm has no package without one" in npm.printed, npm.complained
    assert npm.status == 0
    assert read_package(world.parts, "@acme/money")["versions"]["0.3.0"][1] == REASON
    # Debian's registry deletes no tag.
    done = world.withdraw("status@1.4.0")
    assert done.status == 1, done.printed
    stages = [(each["stage"], each["outcome"]) for each in done.report()["withdrawn"][0]["stages"]]
    refused = [outcome for stage, outcome in stages if stage == "point"]
    assert len(refused) == 3
    assert all(outcome.startswith("failed: ") for outcome in refused), stages
    assert dict(stages)["page"].startswith("done")
    assert "can be pulled as before" in dict(stages)["withdraw"], stages
    assert set(read_images(world.parts, "acme/status")) == {"1", "1.4", "1.4.0", "latest"}


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("nothing@1.0.0", "which component"),
        ("status@9.9.9", "no tag status@9.9.9"),
        ("1.4.0", "which component"),
    ],
)
def test_what_was_never_released_cannot_be_taken_back(small_world: World, version: str, said: str) -> None:
    done = small_world.withdraw(version)
    assert done.status == 2
    assert said in done.complained
    assert small_world.writes() == {}


def test_a_backport_moves_its_own_tags_and_leaves_latest_where_it_is(small_world: World) -> None:
    world = small_world
    world.finish()
    world.shop.checkout.git("pull", "--quiet")
    world.shop.commit(
        "feat!: another page",
        {
            "services/status/www/index.html": "<h1>Anew</h1>\n",
            "packages/money/index.js": read_code(world) + "// 2\n",
        },
    )
    report = world.finish()
    assert {each["tag"] for each in report["components"]} >= {"status@2.0.0"}
    money = next(each["version"] for each in report["components"] if each["name"] == "@acme/money")

    world.shop.checkout.git("checkout", "--quiet", "-b", "1.x", "status@1.4.0")
    world.shop.checkout.git("push", "--quiet", "--set-upstream", "origin", "1.x")
    world.shop.commit(
        "fix: be exact, there too",
        {
            "services/status/www/index.html": "<h1>Mended</h1>\n",
            "packages/money/index.js": read_code(world) + "// 1\n",
        },
    )
    back = world.finish()
    assert {each["tag"] for each in back["components"]} == {"status@1.4.1", "@acme/money@0.3.1"}
    images = read_images(world.parts, "acme/status")
    behind = {tag: next(each for each in ("1.4.0", "1.4.1", "2.0.0") if images[each] == images[tag]) for tag in images}
    assert behind["latest"] == behind["2"] == behind["2.0"] == "2.0.0"
    assert behind["1"] == behind["1.4"] == "1.4.1"
    tags = read_package(world.parts, "@acme/money")["tags"]
    assert tags["latest"] == money
    assert "switchover-pending" not in tags
    # Each component has pages of its own: none of them is the newest of the repository.
    assert world.hosted.latest is None
    assert not world.complaints()
    world.forget_requests()
    assert not world.finish()["changed"]
    assert world.writes() == {}
