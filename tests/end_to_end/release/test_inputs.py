"""What is wrong when a release begins, and registries that refuse, break or fall silent: one clear error, and a run
after the repair that ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.release.conftest import OpenWorld
from tests.end_to_end.release.gate import WRITES, Fate, always
from tests.end_to_end.release.sameness import require_published_once, require_same
from tests.end_to_end.release.shop import Shop
from tests.end_to_end.release.world import Said, World
from tests.git_repository import clone
from tests.real_parts.docker_registry import PASSWORD, USER

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

_USER, _WORLD = 2, 1
_RULE = """
[[release.scan.ignore]]
id = "CVE-2026-0001"
reason = "the function is never called"
until = {until}
"""


def require_refused(said: Said, status: int, *words: str) -> None:
    """Fail unless it ended with this status and one error of ours that has these words in it."""
    assert said.status == status, said.complained
    assert said.complained.count("next:") == 1, said.complained
    assert "Traceback" not in said.complained
    for word in words:
        assert word in said.complained, said.complained


def change_groups(name: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        config = world.shop.checkout.root / ".changeset/config.json"
        text = config.read_text().replace(
            f'"{name}": []', f'"{name}": [["status", "payments"], ["payments", "status"]]'
        )
        world.shop.commit("chore: group", {".changeset/config.json": text})

    return change


def name_nobody(world: World) -> None:
    world.shop.commit("docs: intend", {".changeset/lost.md": '---\n"nobody": minor\n---\n\nMore.\n'})


def break_range(world: World) -> None:
    manifest = '{"name": "status", "version": "1.3.0", "private": true, "dependencies": {"@acme/money": "^^1 ||>"}}\n'
    world.shop.commit("chore: depend", {"services/status/package.json": manifest})


def leave_dirty(world: World) -> None:
    world.shop.checkout.write("services/status/www/index.html", "half done")


def detach(world: World) -> None:
    world.shop.checkout.git("checkout", "--quiet", "--detach")


def make_shallow(world: World) -> None:
    """Cut off the history between the last release and what is to be released."""
    world.finish()
    for word in ("one", "two", "three"):
        world.shop.commit(f"fix(status): {word}", {"services/status/www/index.html": f"<h1>{word}</h1>\n"})
    world.forget_requests()
    shutil.rmtree(world.shop.checkout.root)
    clone(world.shop.shared, world.shop.checkout.root, "--depth", "1")


def tag_elsewhere(world: World) -> None:
    """The tag that the release is about to put is at a commit of nobody's in the shared repository already."""
    stray = world.shop.shared.git("commit-tree", "-m", "stray", "main^{tree}")
    world.shop.shared.git("tag", "--annotate", "--message", "too early", "status@1.4.0", stray)


def diverge(world: World) -> None:
    other = world.shop.clone_anew("other")
    other.commit("docs: theirs", {"README.md": "theirs\n"})
    world.shop.checkout.commit("docs: ours", {"README.md": "ours\n"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(name_nobody, (".changeset/lost.md", "nobody"), id="a changeset that names nobody"),
        pytest.param(change_groups("fixed"), ("fixed",), id="fixed groups that overlap"),
        pytest.param(change_groups("linked"), ("linked",), id="linked groups that overlap"),
        pytest.param(break_range, ("services/status/package.json", "^^1 ||>"), id="a range that is none"),
        pytest.param(leave_dirty, ("services/status/www/index.html",), id="uncommitted changes"),
        pytest.param(detach, ("HEAD",), id="no branch"),
        pytest.param(make_shallow, ("shallow",), id="a history that is cut off"),
        pytest.param(tag_elsewhere, ("status@1.4.0",), id="a tag that is elsewhere"),
        pytest.param(diverge, ("diverged",), id="two branches of one name"),
    ],
)
def test_what_the_user_has_to_mend_is_named_before_anything_is_published(
    small_world: World, spoil: Callable[[World], None], words: tuple[str, ...]
) -> None:
    spoil(small_world)
    before = small_world.shop.shared.git("for-each-ref")
    require_refused(small_world.release(), _USER, *words)
    assert small_world.writes() == {}
    assert small_world.shop.shared.git("for-each-ref") == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({"GITHUB_TOKEN": ""}, ("GITHUB_TOKEN",), id="no token for GitHub"),
        pytest.param({"GITHUB_TOKEN": "ghs_of-nobody"}, ("token",), id="a token that GitHub does not know"),
        pytest.param({"NPM_TOKEN": "of-nobody"}, ("npm",), id="a token that npm does not know"),
        pytest.param({"COSIGN_PRIVATE_KEY": ""}, ("COSIGN_PRIVATE_KEY",), id="no key"),
    ],
)
def test_credentials_without_the_right_are_named_and_the_next_run_finishes(
    undisturbed: dict[str, Any], small_world: World, variables: dict[str, str], words: tuple[str, ...]
) -> None:
    said = small_world.release(variables=variables)
    require_refused(said, _WORLD if "COSIGN_PRIVATE_KEY" in variables else _USER, *words)
    assert not any(value and value in said.complained for value in variables.values())
    # GitHub's document does not name every refusal that there is.
    small_world.forget_requests()
    small_world.finish()
    require_same(small_world, undisturbed["state"])
    require_published_once(small_world)


def test_a_reader_of_the_npm_registry_publishes_nothing(undisturbed: dict[str, Any], small_world: World) -> None:
    reader = small_world.parts.verdaccio.reader_token
    said = small_world.release(variables={"NPM_TOKEN": reader})
    require_refused(said, _USER, "right to publish")
    assert reader not in said.complained
    small_world.finish()
    require_same(small_world, undisturbed["state"])


def test_a_registry_of_images_that_lets_nobody_write_is_named(undisturbed: dict[str, Any], small_world: World) -> None:
    small_world.parts.images.reset(always(Fate.REFUSED))
    said = small_world.release(variables={"SWITCHOVER_REGISTRY_USER": USER, "SWITCHOVER_REGISTRY_PASSWORD": PASSWORD})
    require_refused(said, _USER, small_world.parts.images.address)
    assert PASSWORD not in said.complained
    small_world.forget_requests()
    small_world.finish()
    require_same(small_world, undisturbed["state"])


@pytest.mark.parametrize("place", ["npm", "images", "api", "uploads"])
@pytest.mark.parametrize("which", ["every request", "every write"])
def test_a_place_that_breaks_is_named_and_the_next_run_finishes(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path, place: str, which: str
) -> None:
    world = open_small_world(tmp_path)
    methods = WRITES if which == "every write" else WRITES | {"GET", "HEAD"}
    world.parts.gates[place].reset(always(Fate.BROKEN, methods))
    require_refused(world.release_or_refuse(), _WORLD)
    world.forget_requests()
    world.finish()
    require_same(world, undisturbed["state"])


@pytest.mark.parametrize("place", ["npm", "images", "api"])
def test_a_place_that_says_nothing_is_given_up(
    undisturbed: dict[str, Any], open_small_world: OpenWorld, tmp_path: Path, place: str
) -> None:
    world = open_small_world(tmp_path)
    world.parts.gates[place].reset(always(Fate.SILENT, frozenset({"GET", "HEAD"})))
    require_refused(world.release_or_refuse(), _WORLD)
    world.forget_requests()
    world.finish()
    require_same(world, undisturbed["state"])


def test_a_broken_trivy_stops_the_release(undisturbed: dict[str, Any], small_world: World, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "trivy").write_text("#!/bin/sh\nexit 1\n")
    (broken / "trivy").chmod(0o755)
    path = os.pathsep.join([str(broken), small_world.parts.environ()["PATH"]])
    require_refused(small_world.release(variables={"PATH": path}), _WORLD, "stops at: scan", "trivy")
    assert not {"npm", "images", "uploads"} & set(small_world.writes())
    small_world.finish()
    require_same(small_world, undisturbed["state"])


def need_left_pad(shop: Shop) -> None:
    """Let an image have a package in it that something is wrong with."""
    package = '{"name": "left-pad", "version": "1.2.3", "license": "MIT"}\n'
    shop.commit("feat(status): pad", {"services/status/www/left-pad/package.json": package})


def ignore_finding(world: World, until: str) -> None:
    """Say in switchover.toml that it does no harm."""
    text = world.shop.config.read_text(encoding="utf-8")
    world.shop.commit("chore: ignore it", {"switchover.toml": text + _RULE.format(until=until)})


def test_a_finding_stops_the_release_unless_it_is_ignored_for_now(small_world: World) -> None:
    world = small_world
    need_left_pad(world.shop)
    require_refused(world.release(), _WORLD, "stops at: scan", "CVE-2026-0001", "left-pad")
    assert not {"npm", "images", "uploads"} & set(world.writes())
    assert not world.hosted.sarifs, "GitHub does not know the commit of a release that was stopped"
    assert world.shop.shared.git("tag") == ""

    ignore_finding(world, "2020-01-01")
    require_refused(world.release(), _WORLD, "stops at: scan", "CVE-2026-0001", "2020-01-01")
    assert not {"npm", "images", "uploads"} & set(world.writes())

    text = world.shop.config.read_text(encoding="utf-8")
    world.shop.commit("chore: ignore it again", {"switchover.toml": text.replace("2020-01-01", "2999-01-01")})
    done = world.release()
    assert done.status == 0, done.complained
    assert "ignored" in done.outcomes("status")["scan"]
    assert not world.release().report()["changed"]
