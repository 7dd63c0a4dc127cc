from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump
from switchover.decide.changelog import insert_section, write_section
from switchover.decide.changesets import Changeset
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.range_rewriting import RangeRules
from switchover.decide.versions import CommitEntry, PlannedRelease, VersionPlan

SLIP = CommitEntry("2" * 40, "fix", "a slip", Bump.PATCH)
PLAN = VersionPlan(
    changesets=(
        Changeset("x", (("a", Bump.MINOR), ("core", Bump.MAJOR)), "Say more.\n\nWith a second paragraph.", "1" * 40),
        Changeset("y", (("a", Bump.PATCH),), "Not committed yet."),
    ),
    releases=(
        PlannedRelease("core", Bump.MAJOR, "1.0.0", "2.0.0", ("x",)),
        PlannedRelease("a", Bump.MINOR, "1.0.0", "1.1.0", ("x", "y"), (SLIP,)),
    ),
)
FOLDERS = {"a": "a", "core": "core"}
A = Package("a", "a", "1.0.0", Kind.NPM, dependencies=(Dependency("core", "^1.0.0", Section.RUN),))
SECTION = """## 1.1.0

### Minor Changes

- 1111111: Say more.
  
  With a second paragraph.

### Patch Changes

- Not committed yet.
- 2222222: a slip
- Updated dependencies [1111111]
  - core@2.0.0"""  # noqa: W293 - as changesets writes it


def section(plan: VersionPlan, package: Package = A) -> str:
    release = next(each for each in plan.releases if each.name == package.name)
    return write_section(package, release, plan, FOLDERS, RangeRules(plan.compat))


def test_a_section_has_changesets_commits_and_dependencies_under_their_bumps() -> None:
    assert section(PLAN) == SECTION


def test_changesets_2_leaves_no_blanks_at_the_ends_of_lines() -> None:
    older = VersionPlan(PLAN.changesets, PLAN.releases, compat=2)
    assert section(older) == SECTION.replace("\n  \n", "\n\n")


def test_a_commit_that_repeats_a_changeset_is_told_once() -> None:
    again = CommitEntry("3" * 40, "feat", "Not committed yet.", Bump.MINOR)
    release = PlannedRelease("a", Bump.MINOR, "1.0.0", "1.1.0", ("x", "y"), (again, SLIP))
    assert section(VersionPlan(PLAN.changesets, (PLAN.releases[0], release))) == SECTION


def test_the_commits_behind_updated_dependencies_share_one_line() -> None:
    core = PlannedRelease(
        "core", Bump.MAJOR, "1.0.0", "2.0.0", ("x",), (SLIP, CommitEntry("4" * 40, "feat", "b", Bump.MINOR))
    )
    plan = VersionPlan(PLAN.changesets[:1], (core, PlannedRelease("a", Bump.PATCH, "1.0.0", "1.0.1")))
    assert section(plan).endswith("- Updated dependencies [1111111, 2222222, 4444444]\n  - core@2.0.0")


def test_a_release_without_a_reason_says_so() -> None:
    plan = VersionPlan((), (PlannedRelease("core", Bump.PATCH, "1.0.0", "1.0.1"),))
    core = Package("core", "core", "1.0.0", Kind.NPM)
    assert section(plan, core) == "## 1.0.1\n\nNo changes in this release."


def test_a_new_changelog_begins_with_its_title() -> None:
    assert insert_section("", SECTION, title="a", compat=3) == f"# a\n\n{SECTION}\n"


INSERTED = {
    "# a\n\nWords.\n\n## 1.0.0\n\n- old\n": f"# a\n\nWords.\n\n{SECTION}\n\n## 1.0.0\n\n- old\n",
    "# a\n\n## Unreleased\n\n- soon\n\n### 1.0\n": f"# a\n\n## Unreleased\n\n- soon\n\n{SECTION}\n\n### 1.0\n",
    "## 1.0.0\n": f"{SECTION}\n\n## 1.0.0\n",
    "# a\nWords.\n": f"# a\n\n{SECTION}\nWords.\n",
    "# a": f"# a\n\n{SECTION}\n",
}


@pytest.mark.parametrize("existing", INSERTED)
def test_a_section_goes_before_the_newest_version_or_below_the_first_line(existing: str) -> None:
    assert insert_section(existing, SECTION, title="a", compat=3) == INSERTED[existing]


def test_by_changesets_2_a_section_goes_below_the_first_line_unless_that_is_a_version() -> None:
    assert insert_section("# a\n\nWords.\n\n## 1.0.0\n", SECTION, title="a", compat=2) == (
        f"# a\n\n{SECTION}\n\nWords.\n\n## 1.0.0\n"
    )
    assert insert_section("## 1.0.0\n", SECTION, title="a", compat=2) == f"{SECTION}\n\n## 1.0.0\n"


@given(st.sampled_from([*INSERTED, ""]), st.sampled_from([2, 3]))
def test_inserting_twice_changes_nothing_the_second_time(existing: str, compat: int) -> None:
    once = insert_section(existing, SECTION, title="a", compat=compat)
    assert insert_section(once, SECTION, title="a", compat=compat) == once


def test_a_longer_section_of_the_same_version_is_not_taken_for_this_one() -> None:
    existing = f"# a\n\n{SECTION}\n  - another@3.0.0\n"
    assert insert_section(existing, SECTION, title="a", compat=3) != existing
