from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump
from switchover.decide.packages import Section
from switchover.decide.range_rewriting import RangeRules, asks_to_move, move_range
from switchover.decide.ranges import satisfies
from switchover.decide.version_text import next_version
from switchover.decide.versions import PlannedRelease

FOLDER = "packages/core"
MINOR = PlannedRelease("core", Bump.MINOR, "1.0.0", "1.1.0")
MAJOR = PlannedRelease("core", Bump.MAJOR, "1.0.0", "2.0.0")
BETA = PlannedRelease("core", Bump.MINOR, "1.0.0", "1.1.0-beta.0")
NOTHING = PlannedRelease("core", Bump.NONE, "1.0.0", "1.0.0")


def move(text: str, release: PlannedRelease = MINOR, section: Section = Section.RUN, **rules: object) -> str:
    return move_range(text, section, release, FOLDER, RangeRules(**rules))  # type: ignore[arg-type] - by name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("^1.0.0", "^1.1.0"),
        ("~1.0.0", "~1.1.0"),
        (">=1.0.0", ">=1.1.0"),
        ("1.0.0", "1.1.0"),
        ("1.x", "1.1.0"),
        (">=1.0.0 <2.0.0", ">=1.1.0 <2.0.0"),
        ("<2 >=1.0.0", "<2.0.0-0 >=1.1.0"),
        (">=1.0.0 <1.1.0", ">=1.1.0 <1.2.0"),
        ("*", "*"),
        (">=0.0.0", ">=0.0.0"),
        ("latest", "latest"),
        ("file:../core", "file:../core"),
        ("workspace:*", "workspace:*"),
        ("workspace:^", "workspace:^"),
        ("workspace:^1.0.0", "workspace:^1.1.0"),
        ("workspace:packages/core", "workspace:packages/core"),
    ],
)
def test_a_range_moves_with_its_operator_and_what_moves_by_itself_stays(before: str, after: str) -> None:
    assert move(before) == after


def test_a_star_holds_no_prerelease_and_so_moves_for_one() -> None:
    assert move("*", BETA) == "1.1.0-beta.0"
    assert move("workspace:*", BETA) == "workspace:*"


def test_a_snapshot_is_asked_for_exactly() -> None:
    assert move("^1.0.0", BETA, exact=True) == "1.1.0-beta.0"
    assert move("workspace:~1.0.0", BETA, exact=True) == "workspace:1.1.0-beta.0"


def test_what_is_not_released_moves_nothing_by_changesets_3_and_stale_ranges_by_2() -> None:
    assert move("^0.9.0", NOTHING) == "^0.9.0"
    assert move("^0.9.0", NOTHING, compat=2) == "^1.0.0"


def test_a_range_between_bounds_is_an_exact_lower_one_by_changesets_2() -> None:
    assert move(">=1.0.0 <2.0.0", compat=2) == ">=1.1.0"


def test_a_range_that_still_holds_the_version_moves_as_the_settings_say() -> None:
    patch = PlannedRelease("core", Bump.PATCH, "1.0.0", "1.0.1")
    assert move("^1.0.0", patch, minimum=Bump.MINOR) == "^1.0.0"
    assert move("1.0.0", patch, minimum=Bump.MINOR) == "1.0.1"
    assert move("^1.0.0", patch, Section.PEER, minimum=Bump.MINOR) == "^1.0.1"
    assert move("^1.0.0", patch, Section.PEER, peers_when_left=True) == "^1.0.0"
    assert move("^1.0.0", MAJOR, Section.PEER, peers_when_left=True) == "^2.0.0"
    assert move("^1.0.0", MAJOR, workspace_protocol_only=True) == "^1.0.0"
    assert move("workspace:^1.0.0", MAJOR, workspace_protocol_only=True) == "workspace:^2.0.0"


def test_a_path_asks_only_for_the_package_that_lies_there() -> None:
    rules = RangeRules()
    for path in ("packages/core", "./packages/core", "packages/ui/../core"):
        assert asks_to_move(f"workspace:{path}", Section.RUN, MINOR, FOLDER, rules), path
    assert not asks_to_move("workspace:packages/ui", Section.RUN, MINOR, FOLDER, rules)
    unversioned = PlannedRelease("core", Bump.NONE, "", "")
    assert not asks_to_move("workspace:*", Section.RUN, unversioned, FOLDER, rules)


@given(
    st.tuples(*[st.integers(0, 20)] * 3),
    st.sampled_from(["^", "~", "", ">=", "="]),
    st.sampled_from([Bump.PATCH, Bump.MINOR, Bump.MAJOR]),
    st.sampled_from(list(Section)),
)
def test_a_range_that_held_the_old_version_holds_the_new_one_and_then_stays(
    numbers: tuple[int, ...], operator: str, bump: Bump, section: Section
) -> None:
    old = ".".join(str(number) for number in numbers)
    release = PlannedRelease("core", bump, old, next_version(old, bump))
    moved = move(operator + old, release, section)
    assert satisfies(release.new_version, moved)
    assert move(moved, release, section) == moved
