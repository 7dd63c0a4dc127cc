from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump
from switchover.decide.changesets import Changeset
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.plan_settings import PlanSettings
from switchover.decide.versions import Commit, PackageHistory, VersionPlan, plan_versions
from switchover.errors import InputError

NOTHING = PlanSettings()


def package(name: str, version: str = "1.0.0", *, private: bool = False, **ranges: Any) -> Package:
    """A package in `packages/<name>`; keywords are dependencies, `dev_x` and `peer_x` in other sections."""
    sections = {"dev": Section.DEV, "peer": Section.PEER, "optional": Section.OPTIONAL}
    dependencies = []
    for key, text in ranges.items():
        section, _, other = key.rpartition("_")
        dependencies.append(Dependency(other, text, sections.get(section, Section.RUN)))
    return Package(name, f"packages/{name}", version, Kind.NPM, private, tuple(dependencies))


def changeset(identifier: str, **releases: str) -> Changeset:
    return Changeset(identifier, tuple((name, Bump(bump)) for name, bump in releases.items()), identifier)


def moved(plan: VersionPlan) -> dict[str, str]:
    return {release.name: release.new_version for release in plan.changes}


def plan_of(packages: list[Package], *changesets: Changeset, settings: PlanSettings = NOTHING) -> dict[str, str]:
    return moved(plan_versions(tuple(packages), changesets, {}, settings))


def test_the_highest_bump_of_all_changesets_wins() -> None:
    plan = plan_versions((package("a"),), (changeset("x", a="patch"), changeset("y", a="minor")), {}, NOTHING)
    assert moved(plan) == {"a": "1.1.0"}
    assert plan.releases[0].changesets == ("x", "y")


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ({"a": "^1.0.0"}, "2.0.0 -> 1.0.1"),
        ({"a": ">=1.0.0"}, "stays"),
        ({"peer_a": "^1.0.0"}, "2.0.0 -> 1.0.1"),
        ({"optional_a": "~1.0.0"}, "2.0.0 -> 1.0.1"),
        ({"dev_a": "^1.0.0"}, "stays"),
        ({"a": "latest"}, "stays"),
        ({"a": "^0.9.0"}, "stays"),
        ({"a": "workspace:*"}, "2.0.0 -> 1.0.1"),
        ({"a": "workspace:packages/a"}, "2.0.0 -> 1.0.1"),
    ],
)
def test_a_dependent_follows_only_when_its_range_is_left(ranges: dict[str, Any], expected: str) -> None:
    plan = plan_of([package("a"), package("b", **ranges)], changeset("x", a="major"))
    assert plan.get("b", "stays") == ("1.0.1" if expected != "stays" else "stays")


def test_a_peer_dependent_in_range_is_left_alone_and_no_major_is_invented() -> None:
    assert plan_of([package("a"), package("b", peer_a="^1.0.0")], changeset("x", a="minor")) == {"a": "1.1.0"}


def test_only_a_development_dependency_keeps_the_version_and_enters_the_plan() -> None:
    plan = plan_versions((package("a"), package("b", dev_a="^1.0.0")), (changeset("x", a="major"),), {}, NOTHING)
    assert [(each.name, each.type) for each in plan.releases] == [("a", Bump.MAJOR), ("b", Bump.NONE)]


def test_following_goes_on_through_the_workspace() -> None:
    chain = [package("a"), package("b", a="1.0.0"), package("c", b="1.0.0")]
    assert plan_of(chain, changeset("x", a="patch")) == {"a": "1.0.1", "b": "1.0.1", "c": "1.0.1"}


def test_private_packages_are_versioned_only_when_asked_for_or_deployed() -> None:
    packages = [package("a", private=True)]
    assert plan_of(packages, changeset("x", a="minor")) == {}
    assert plan_of(packages, changeset("x", a="minor"), settings=PlanSettings(private_packages=True)) == {"a": "1.1.0"}
    deployed = PlanSettings(deployed=frozenset({"a"}))
    assert plan_of(packages, changeset("x", a="minor"), settings=deployed) == {"a": "1.1.0"}


def test_a_deployed_package_follows_every_change_inside_it_in_range_or_not() -> None:
    packages = [package("a"), package("b", a="^1.0.0"), package("shop", b="^1.0.0", private=True)]
    settings = PlanSettings(deployed=frozenset({"shop"}))
    assert plan_of(packages, changeset("x", a="patch"), settings=settings) == {"a": "1.0.1", "shop": "1.0.1"}


def test_a_fixed_group_moves_together_and_a_linked_one_only_where_it_moves() -> None:
    packages = [package("a"), package("b", "1.4.0"), package("c")]
    fixed = PlanSettings(fixed=(("a", "b"),))
    assert plan_of(packages, changeset("x", a="minor"), settings=fixed) == {"a": "1.5.0", "b": "1.5.0"}
    linked = PlanSettings(linked=(("a", "b", "c"),))
    both = changeset("x", a="minor", c="patch")
    assert plan_of(packages, both, settings=linked) == {"a": "1.5.0", "c": "1.5.0"}


def test_a_local_link_for_development_does_not_hide_the_range_beside_it() -> None:
    both = (Dependency("a", "^1.0.0", Section.RUN), Dependency("a", "link:../a", Section.DEV))
    follower = Package("b", "b", "1.0.0", Kind.NPM, dependencies=both)
    assert plan_of([package("a"), follower], changeset("x", a="major")) == {"a": "2.0.0", "b": "1.0.1"}


def test_globs_name_groups_and_ignored_packages() -> None:
    packages = [Package("@acme/a", "a", "1.0.0", Kind.NPM), Package("@acme/b", "b", "1.0.0", Kind.NPM), package("c")]
    wish = Changeset("x", (("@acme/a", Bump.MINOR),), "x")
    settings = PlanSettings(fixed=(("@acme/*",),))
    assert plan_of(packages, wish, settings=settings) == {"@acme/a": "1.1.0", "@acme/b": "1.1.0"}
    assert plan_of(packages, wish, settings=PlanSettings(ignore=("@acme/*",))) == {}


REFUSED = {
    "an unknown package": ((changeset("x", nobody="patch"),), NOTHING, "'nobody'"),
    "versioned and not": ((changeset("x", a="patch", p="patch"),), NOTHING, "'p'"),
    "a glob that matches nothing, by changesets 2": ((), PlanSettings(ignore=("@x/*",), compat=2), "'@x/*'"),
    "a glob that nobody here understands": ((), PlanSettings(ignore=("!(a)b",)), "'!(a)b'"),
    "a skipped package that a published one needs": ((), PlanSettings(guarded=True), "private"),
    "a version that no group can share": ((changeset("x", a="patch"),), PlanSettings(fixed=(("a", "n"),)), "''"),
    "a package in two groups": ((), PlanSettings(fixed=(("a",),), linked=(("a",),)), "'a' in two"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_contradicts_the_workspace_is_refused_by_name(case: str) -> None:
    changesets, settings, found = REFUSED[case]
    with pytest.raises(InputError) as refused:
        plan_versions((package("a", p="1.0.0"), package("p", private=True), package("n", "")), changesets, {}, settings)
    assert found in refused.value.problem.found


def test_a_glob_that_matches_nothing_is_told_and_changes_nothing_by_changesets_3() -> None:
    plan = plan_versions((package("a"),), (), {}, PlanSettings(fixed=(("@x/*",),)))
    assert plan.notices == ("'@x/*' in .changeset/config.json matches no package",)


def test_by_changesets_2_a_peer_dependent_of_a_minor_change_gets_a_major_one() -> None:
    packages = [package("a"), package("b", peer_a="^1.0.0")]
    wish = changeset("x", a="minor")
    assert plan_of(packages, wish, settings=PlanSettings(compat=2)) == {"a": "1.1.0", "b": "2.0.0"}
    narrow = PlanSettings(compat=2, peers_when_left=True)
    assert plan_of(packages, wish, settings=narrow) == {"a": "1.1.0"}


def test_dependents_follow_in_range_too_where_the_settings_say_always() -> None:
    packages = [package("a"), package("b", a="^1.0.0")]
    assert plan_of(packages, changeset("x", a="patch"), settings=PlanSettings(follow_always=True)) == {
        "a": "1.0.1",
        "b": "1.0.1",
    }


def test_ranges_without_the_workspace_protocol_bind_nobody_where_the_settings_say_so() -> None:
    packages = [package("a"), package("b", a="1.0.0"), package("c", a="workspace:1.0.0")]
    only = PlanSettings(workspace_protocol_only=True)
    assert plan_of(packages, changeset("x", a="patch"), settings=only) == {"a": "1.0.1", "c": "1.0.1"}


def test_a_single_version_moves_every_versioned_package_from_the_highest_one() -> None:
    packages = [package("a"), package("b", "1.4.0"), package("p", "9.0.0", private=True)]
    single = PlanSettings(single_version=True, linked=(("a", "b"),))
    assert plan_of(packages, changeset("x", a="minor"), settings=single) == {"a": "1.5.0", "b": "1.5.0"}


def test_a_version_beyond_what_npm_takes_is_refused() -> None:
    largest = "9007199254740991.0.0"
    with pytest.raises(InputError, match="cannot get the version after"):
        plan_versions((package("a", largest),), (changeset("x", a="major"),), {}, NOTHING)


def test_a_version_that_is_none_is_refused_with_its_file() -> None:
    with pytest.raises(InputError, match=r"packages/a/package\.json"):
        plan_versions((package("a", "1.0"),), (), {}, NOTHING)


def history(version: str, *messages: str, path: str = "packages/a/index.js") -> dict[str, PackageHistory]:
    commits = tuple(Commit(f"{at}" * 40, message, (path,)) for at, message in enumerate(messages))
    return {"a": PackageHistory(version, commits)}


def test_commits_since_the_tag_count_for_the_package_whose_files_they_touch() -> None:
    packages = (package("a"), Package("inner", "packages/a/inner", "1.0.0", Kind.NPM))
    assert moved(plan_versions(packages, (), history("1.0.0", "feat: x", "fix: y"), NOTHING)) == {"a": "1.1.0"}
    deeper = history("1.0.0", "feat: x", path="packages/a/inner/x.js")
    assert moved(plan_versions(packages, (), deeper, NOTHING)) == {}


def test_of_changesets_and_commits_the_higher_wins_and_both_are_kept() -> None:
    plan = plan_versions((package("a"),), (changeset("x", a="patch"),), history("1.0.0", "feat: more"), NOTHING)
    assert moved(plan) == {"a": "1.1.0"}
    assert (plan.releases[0].changesets, plan.releases[0].commits[0].description) == (("x",), "more")


def test_a_version_that_was_never_released_is_released_as_it_stands() -> None:
    plan = plan_versions((package("a"),), (), history("", "feat: x"), NOTHING)
    assert (moved(plan), plan.unreleased) == ({}, ("a",))
    ahead = plan_versions((package("a", "1.1.0"),), (), history("1.0.0", "feat: x"), NOTHING)
    assert (moved(ahead), ahead.unreleased) == ({}, ("a",))


def test_the_placeholder_version_grows_by_every_commit() -> None:
    assert moved(plan_versions((package("a", "0.0.0"),), (), history("", "feat: x"), NOTHING)) == {"a": "0.1.0"}


def test_commits_before_the_release_commit_of_the_present_version_are_spent() -> None:
    release = "chore(release): a@1.1.0\n\nSwitchover-Release: a@1.1.0"
    spent = history("1.0.0", release, "feat: old")
    assert moved(plan_versions((package("a", "1.1.0"),), (), spent, NOTHING)) == {}
    more = history("1.0.0", "fix: new", release, "feat: old")
    assert moved(plan_versions((package("a", "1.1.0"),), (), more, NOTHING)) == {"a": "1.1.1"}


def test_a_tag_ahead_of_the_manifest_is_where_the_next_version_begins() -> None:
    plan = plan_versions((package("a", "0.0.0"),), (), history("1.4.0", "fix: x"), NOTHING)
    assert moved(plan) == {"a": "1.4.1"}
    assert "1.4.0 is ahead of 0.0.0" in plan.notices[0]


def test_a_private_library_inside_a_deployed_package_counts_as_its_own_code() -> None:
    packages = (package("lib", private=True), package("a", lib="^1.0.0", private=True))
    touched = history("1.0.0", "fix: x", path="packages/lib/index.js")
    assert moved(plan_versions(packages, (), touched, PlanSettings(deployed=frozenset({"a"})))) == {"a": "1.0.1"}


NAMES = ["a", "b", "c", "d", "e"]
BUMPS = st.sampled_from(list(Bump))
RANGES = st.sampled_from(["^1.0.0", "~1.0.0", "1.0.0", ">=1.0.0", "*", "workspace:^", "workspace:*", "latest"])
SECTIONS = st.sampled_from(list(Section))
EDGES = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), st.tuples(SECTIONS, RANGES))
WISHES = st.lists(st.dictionaries(st.sampled_from(NAMES), BUMPS, min_size=1), min_size=1, max_size=4)


def build(edges: dict[tuple[str, str], tuple[Section, str]]) -> tuple[Package, ...]:
    return tuple(
        Package(
            name,
            name,
            "1.0.0",
            Kind.NPM,
            dependencies=tuple(
                Dependency(other, text, section)
                for (owner, other), (section, text) in sorted(
                    edges.items(), key=lambda each: list(Section).index(each[1][0])
                )
                if owner == name and other != name
            ),
        )
        for name in NAMES
    )


@given(EDGES, WISHES, st.randoms(use_true_random=False))
def test_neither_the_order_of_changesets_nor_that_of_packages_changes_the_versions(
    edges: dict[tuple[str, str], tuple[Section, str]], wishes: list[dict[str, Bump]], chance: random.Random
) -> None:
    packages = list(build(edges))
    changesets = [Changeset(f"c{at}", tuple(wish.items()), "x") for at, wish in enumerate(wishes)]
    first = plan_versions(tuple(packages), tuple(changesets), {}, NOTHING)
    assert first == plan_versions(tuple(packages), tuple(changesets), {}, NOTHING)
    chance.shuffle(packages)
    chance.shuffle(changesets)
    assert moved(plan_versions(tuple(packages), tuple(changesets), {}, NOTHING)) == moved(first)


@given(EDGES, WISHES)
def test_after_a_plan_is_applied_no_released_dependency_is_out_of_a_dependents_range(
    edges: dict[tuple[str, str], tuple[Section, str]], wishes: list[dict[str, Bump]]
) -> None:
    packages = build(edges)
    changesets = tuple(Changeset(f"c{at}", tuple(wish.items()), "x") for at, wish in enumerate(wishes))
    plan = plan_versions(packages, changesets, {}, NOTHING)
    planned = {release.name for release in plan.releases}
    left = {
        each.name
        for each in packages
        for dependency in each.dependencies
        if dependency.range in {"1.0.0", "workspace:*"} and dependency.name in moved(plan)
    }
    assert left <= planned
