from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.decide.bumps import Bump
from switchover.decide.changesets import Changeset
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.plan_json import plan_to_json
from switchover.decide.plan_settings import PlanSettings
from switchover.decide.prerelease import Mode, PreState
from switchover.decide.snapshot import Snapshot
from switchover.decide.versions import Commit, PackageHistory, VersionPlan, plan_versions
from switchover.errors import InputError

BETA = PreState(Mode.PRE, "beta")
EXIT = PreState(Mode.EXIT, "beta")
NOON = Snapshot(int(datetime(2026, 5, 4, 12, 30, 9, tzinfo=UTC).timestamp() * 1000), "0123456789abcdef", "canary")


def package(name: str, version: str = "1.0.0", **ranges: str) -> Package:
    dependencies = tuple(Dependency(other, text, Section.RUN) for other, text in ranges.items())
    return Package(name, name, version, Kind.NPM, dependencies=dependencies)


def changeset(identifier: str, **releases: str) -> Changeset:
    return Changeset(identifier, tuple((name, Bump(bump)) for name, bump in releases.items()), identifier)


def moved(plan: VersionPlan) -> dict[str, str]:
    return {release.name: release.new_version for release in plan.changes}


def plan(packages: list[Package], *changesets: Changeset, **options: Any) -> VersionPlan:
    return plan_versions(tuple(packages), changesets, {}, options.pop("settings", PlanSettings()), **options)


def test_what_changesets_2_has_noted_stays_in_its_order_and_new_packages_follow() -> None:
    state = PreState(Mode.PRE, "beta", (("gone", "1.0.0"), ("b", "2.0.0")))
    planned = plan([package("a", "1.0.0"), package("b", "2.0.0")], settings=PlanSettings(compat=2), pre_state=state)
    assert planned.pre_state is not None
    assert planned.pre_state.initial_versions == (("gone", "1.0.0"), ("b", "2.0.0"), ("a", "1.0.0"))


def test_in_the_mode_versions_count_up_and_leave_the_ranges_of_stable_ones() -> None:
    packages = [package("a", "1.1.0-beta.3"), package("b", a="^1.0.0"), package("c", a="^1.1.0-beta.0")]
    planned = plan(packages, changeset("x", a="minor"), pre_state=BETA)
    # The range of b does not hold the present version, and that of c holds the next one.
    assert moved(planned) == {"a": "1.1.0-beta.4"}
    assert moved(plan([package("a"), package("b", a="^1.0.0")], changeset("x", a="patch"), pre_state=BETA)) == {
        "a": "1.0.1-beta.0",
        "b": "1.0.1-beta.0",
    }


def test_a_group_counts_prereleases_together() -> None:
    packages = [package("a", "1.1.0-beta.3"), package("b", "1.1.0-beta.0")]
    planned = plan(packages, changeset("x", b="minor"), pre_state=BETA, settings=PlanSettings(fixed=(("a", "b"),)))
    assert moved(planned) == {"a": "1.1.0-beta.4", "b": "1.1.0-beta.4"}


def test_used_changesets_count_again_when_the_mode_ends() -> None:
    packages = [package("a", "1.1.0-beta.3"), package("b", "2.0.0-beta.0"), package("c")]
    both = (changeset("x", a="patch"), changeset("pre/y", a="minor"))
    assert [each.id for each in plan(packages, *both, pre_state=BETA).changesets] == ["x"]
    ended = plan(packages, *both, pre_state=EXIT)
    assert [each.id for each in ended.changesets] == ["x", "pre/y"]
    assert moved(ended) == {"a": "1.1.0", "b": "2.0.0"}


def test_what_changesets_2_noted_in_its_file_changesets_3_finds_in_a_folder() -> None:
    state = PreState(Mode.EXIT, "beta", (("a", "1.0.0"),), ("used",))
    changesets = (changeset("fresh", a="patch"), changeset("used", a="minor"))
    planned = plan([package("a", "1.1.0-beta.0")], *changesets, pre_state=state)
    assert [(each.id, each.path) for each in planned.changesets] == [
        ("fresh", ".changeset/fresh.md"),
        ("pre/used", ".changeset/used.md"),
    ]
    assert planned.pre_state == EXIT


def test_the_json_of_a_plan_has_the_state_of_the_mode_as_each_major_writes_it() -> None:
    state = PreState(Mode.PRE, "beta", (("a", "0.9.0"),), ("used",))
    asked = (changeset("fresh", a="patch"), changeset("used", a="minor"))
    packages = [package("a", "1.1.0-beta.0"), package("b")]
    old = plan_to_json(plan(packages, *asked, pre_state=state, settings=PlanSettings(compat=2)))
    assert old["preState"] == {
        "mode": "pre",
        "tag": "beta",
        "initialVersions": {"a": "0.9.0", "b": "1.0.0"},
        "changesets": ["fresh", "used"],
    }
    assert plan_to_json(plan(packages, *asked, pre_state=state))["preState"] == {"mode": "pre", "tag": "beta"}
    assert "preState" not in plan_to_json(plan(packages))


def test_only_changesets_2_moves_packages_that_are_never_versioned_when_the_mode_ends() -> None:
    packages = [package("a"), package("ignored")]
    for compat, expected in ((2, {"ignored": "1.0.1"}), (3, {})):
        settings = PlanSettings(compat=compat, ignore=("ignored",))
        assert moved(plan(packages, pre_state=EXIT, settings=settings)) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (PlanSettings(), "0.0.0-canary-20260504123009"),
        (PlanSettings(calculated_snapshots=True), "1.1.0-canary-20260504123009"),
        (PlanSettings(snapshot_template="{tag}-{commit-short}"), "0.0.0-canary-0123456"),
        (PlanSettings(snapshot_template="{tag}-{timestamp}-{commit}"), "0.0.0-canary-1777897809000-0123456789abcdef"),
    ],
)
def test_snapshots_have_a_version_that_no_range_finds(settings: PlanSettings, expected: str) -> None:
    packages = [package("a"), package("b", a="^1.0.0")]
    planned = plan(packages, changeset("x", a="minor"), settings=settings, snapshot=NOON)
    assert (moved(planned), planned.snapshot) == ({"a": expected}, True)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a snapshot in the mode": ({"snapshot": NOON, "pre_state": BETA}, "two kinds of prereleases"),
    "a channel in the mode": ({"settings": PlanSettings(channel="rc"), "pre_state": EXIT}, "two kinds of prereleases"),
    "a template without the tag": (
        {"snapshot": NOON, "settings": PlanSettings(snapshot_template="x-{datetime}")},
        "'canary'",
    ),
    "a template that wants a commit": (
        {"snapshot": Snapshot(0), "settings": PlanSettings(snapshot_template="x-{commit}")},
        "{commit}",
    ),
    "a template that makes no version": (
        {"snapshot": NOON, "settings": PlanSettings(snapshot_template="{tag}_x")},
        "0.0.0-canary_x",
    ),
    "the folder of changesets 3 by changesets 2": (
        {"settings": PlanSettings(compat=2), "pre_state": BETA},
        r"\.changeset/pre/y\.md",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_prerelease_is_refused(case: str) -> None:
    options, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        plan([package("a")], changeset("x", a="minor"), changeset("pre/y", a="patch"), **options)


@pytest.mark.parametrize("version", ["1.0.0-beta.next", "1.0.0-beta.-1"])
def test_a_version_that_cannot_be_counted_on_is_refused_with_its_file(version: str) -> None:
    with pytest.raises(InputError, match=r"a/package\.json"):
        plan([package("a", version)], pre_state=BETA)


def commits(*messages: str) -> tuple[Commit, ...]:
    return tuple(Commit(message[:4] * 10, message, ("a/x.js",)) for message in messages)


def on_channel(version: str, history: PackageHistory, channel: str = "beta") -> dict[str, str]:
    packages = (package("a", version), package("b", a="^1.0.0"))
    return moved(plan_versions(packages, (), {"a": history}, PlanSettings(channel=channel)))


def test_a_channel_starts_at_zero_and_dependents_outside_its_range_follow() -> None:
    history = PackageHistory(
        "1.0.0", commits("feat: x"), has_stable=True, since_stable=commits("feat: x"), released=("1.0.0",)
    )
    assert on_channel("1.0.0", history) == {"a": "1.1.0-beta.0", "b": "1.0.1-beta.0"}


@pytest.mark.parametrize(
    ("fresh", "since_stable", "expected"),
    [
        (("fix: y",), ("fix: y", "feat: x"), {"a": "1.1.0-beta.3"}),
        (("feat!: y",), ("feat!: y", "feat: x"), {"a": "2.0.0-beta.0"}),
        ((), ("feat: x",), {}),
        (("docs: y",), ("docs: y", "feat: x"), {}),
    ],
)
def test_a_channel_goes_on_from_what_changed_since_the_last_stable_version(
    fresh: tuple[str, ...], since_stable: tuple[str, ...], expected: dict[str, str]
) -> None:
    released = ("1.1.0-beta.2", "1.1.0-beta.0", "1.1.0-alpha.7", "1.0.0")
    history = PackageHistory(
        "1.1.0-beta.2", commits(*fresh), has_stable=True, since_stable=commits(*since_stable), released=released
    )
    assert on_channel("1.1.0-beta.2", history) == expected


def test_a_later_channel_counts_for_itself_and_an_earlier_one_is_refused() -> None:
    history = PackageHistory(
        "1.1.0-beta.2",
        commits("fix: y"),
        has_stable=True,
        since_stable=commits("fix: y", "feat: x"),
        released=("1.1.0-beta.2",),
    )
    assert on_channel("1.1.0-beta.2", history, "rc") == {"a": "1.1.0-rc.0"}
    with pytest.raises(InputError, match="cannot go from"):
        on_channel("1.1.0-beta.2", history, "alpha")


@pytest.mark.parametrize(
    ("ours", "since_stable", "expected"),
    [
        (True, ("feat: x",), {"a": "1.1.0"}),
        (True, (), {"a": "1.1.0"}),
        (False, ("feat: x",), {"a": "1.1.0"}),
        (False, (), {}),
        (True, ("feat!: z", "feat: x"), {"a": "2.0.0"}),
    ],
)
def test_a_stable_branch_finishes_what_a_channel_began(
    ours: bool,  # noqa: FBT001 - a row of the table
    since_stable: tuple[str, ...],
    expected: dict[str, str],
) -> None:
    history = PackageHistory(
        "1.1.0-beta.2",
        (),
        has_stable=True,
        since_stable=commits(*since_stable),
        released=("1.1.0-beta.2", "1.0.0"),
        ours=ours,
    )
    assert on_channel("1.1.0-beta.2", history, "") == expected


def test_without_any_stable_version_our_own_first_prerelease_is_finished_too() -> None:
    history = PackageHistory("1.0.0-beta.0", (), released=("1.0.0-beta.0",), ours=True)
    assert on_channel("1.0.0-beta.0", history, "") == {"a": "1.0.0"}
