from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from switchover.decide.components import ComponentKind
from switchover.decide.pointers import (
    PENDING,
    Move,
    choose_npm_tag,
    choose_pointers,
    plan_image_pointers,
    plan_moves,
    plan_npm_pointers,
)

VERSIONS = ("1.4.1", "1.4.2", "1.5.0", "2.0.0", "2.1.0-beta.0", "2.1.0-beta.1", "0.9.0", "latest", "x")
versions = st.builds(
    lambda a, b, c, pre: f"{a}.{b}.{c}" + (f"-{pre}" if pre else ""),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["", "", "beta.0", "beta.1", "rc.0", "0"]),
)


def test_images_have_the_newest_of_all_of_each_major_and_of_each_minor() -> None:
    assert plan_image_pointers(VERSIONS) == {
        "latest": "2.0.0",
        "2": "2.0.0",
        "2.0": "2.0.0",
        "1": "1.5.0",
        "1.5": "1.5.0",
        "1.4": "1.4.2",
        "0": "0.9.0",
        "0.9": "0.9.0",
    }


def test_npm_has_no_tag_that_looks_like_a_range() -> None:
    assert plan_npm_pointers(VERSIONS) == {
        "latest": "2.0.0",
        "latest-1": "1.5.0",
        "latest-0": "0.9.0",
    }


@pytest.mark.parametrize("kind", [ComponentKind.NPM, ComponentKind.IMAGE])
def test_a_backport_does_not_steal_latest(kind: ComponentKind) -> None:
    before = choose_pointers(kind, "2.0.0", ("1.4.0", "2.0.0"))
    after = choose_pointers(kind, "1.4.1", ("1.4.0", "2.0.0", "1.4.1"))
    assert (before["latest"], after["latest"]) == ("2.0.0", "2.0.0")
    by_hand = {**before, "latest": "1.4.0"}
    for present in (before, by_hand):
        assert "latest" not in {move.pointer for move in plan_moves(kind, "1.4.1", after, present)}


def test_a_prerelease_is_never_latest() -> None:
    for kind in (ComponentKind.NPM, ComponentKind.IMAGE):
        assert choose_pointers(kind, "1.0.0-rc.0", ("1.0.0-rc.0", "1.0.0-beta.0")) == {"rc": "1.0.0-rc.0"}
        assert choose_pointers(kind, "1.0.0-0", ("1.0.0-0",)) == {}


def test_snapshots_and_names_that_look_like_a_range_have_no_pointer() -> None:
    for version in ("0.0.0-canary-20260101120000", "1.0.0-x.1", "1.0.0-latest.1"):
        assert choose_pointers(ComponentKind.NPM, version, (version,)) == {}


def test_a_withdrawn_version_loses_every_pointer_to_the_one_before() -> None:
    wanted = plan_image_pointers(("1.4.0", "1.5.0"), withdrawn=("1.5.0",))
    assert wanted == {"latest": "1.4.0", "1": "1.4.0", "1.4": "1.4.0"}
    present = {"latest": "1.5.0", "1": "1.5.0", "1.5": "1.5.0", "1.4": "1.4.0", "stable": "1.5.0"}
    assert plan_moves(ComponentKind.IMAGE, "1.5.0", wanted, present, ("1.5.0",)) == (
        Move("1", "1.4.0"),
        Move("1.5", ""),
        Move("stable", ""),
        Move("latest", "1.4.0"),
    )


def test_what_people_point_at_stays_and_the_mark_of_an_unfinished_release_goes() -> None:
    present = {"latest": "1.0.0", "lts": "0.9.0", PENDING: "1.0.0"}
    assert plan_moves(ComponentKind.NPM, "1.0.0", {"latest": "1.0.0"}, present) == (Move(PENDING, ""),)


def test_npm_keeps_latest_where_no_version_is_left() -> None:
    present = {"latest": "1.0.0", "beta": "1.0.0"}
    assert plan_moves(ComponentKind.NPM, "1.0.0", {}, present, ("1.0.0",)) == (Move("beta", ""),)
    assert Move("latest", "") in plan_moves(ComponentKind.IMAGE, "1.0.0", {}, present, ("1.0.0",))


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("2.2.0", "latest"),
        ("3.0.0-rc.0", "rc"),
        ("1.6.0", "latest-1"),
        ("1.4.9", "latest-1.4"),
        ("2.0.1", "latest-2.0"),
    ],
)
def test_where_tags_cannot_be_moved_a_version_gets_the_one_that_it_would_end_with(version: str, tag: str) -> None:
    assert choose_npm_tag(version, ("1.4.0", "1.5.0", "2.0.0", "2.1.0")) == tag


@given(st.lists(versions, max_size=12), st.lists(versions, max_size=4), st.sampled_from(list(ComponentKind)))
def test_after_the_moves_nothing_is_left_to_move(there: list[str], withdrawn: list[str], kind: ComponentKind) -> None:
    version = there[-1] if there else "1.0.0"
    wanted = choose_pointers(kind, version, there, withdrawn)
    present = {"latest": there[0], PENDING: there[0]} if there else {}
    for move in plan_moves(kind, version, wanted, present, withdrawn):
        if move.version:
            present[move.pointer] = move.version
        else:
            present.pop(move.pointer, None)
    assert plan_moves(kind, version, wanted, present, withdrawn) == ()
    assert all(version in there and version not in withdrawn for version in wanted.values())
    stable = [Version.parse(each) for each in there if each not in withdrawn and "-" not in each]
    assert wanted.get("latest") == (str(max(stable)) if stable else None)
