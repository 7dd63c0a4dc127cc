from __future__ import annotations

from switchover.decide.bumps import Bump
from switchover.decide.changelog import insert_section, write_section
from switchover.decide.changesets import Changeset
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.versions import CommitEntry, PlannedRelease, VersionPlan

PLAN = VersionPlan(
    changesets=(
        Changeset("x", (("a", Bump.MINOR), ("core", Bump.MAJOR)), "Say more.\n\nWith a second paragraph.", "1" * 40),
        Changeset("y", (("a", Bump.PATCH),), "Not committed yet."),
    ),
    releases=(
        PlannedRelease("core", Bump.MAJOR, "1.0.0", "2.0.0", ("x",)),
        PlannedRelease(
            "a", Bump.MINOR, "1.0.0", "1.1.0", ("x", "y"), (CommitEntry("2" * 40, "fix", "a slip", Bump.PATCH),)
        ),
    ),
)
A = Package("a", "a", "1.0.0", Kind.NPM, dependencies=(Dependency("core", "^1.0.0", Section.RUN),))
SECTION = """## 1.1.0

### Minor Changes

- 1111111: Say more.

  With a second paragraph.

### Patch Changes

- Not committed yet.
- 2222222: a slip
- Updated dependencies [1111111]
  - core@2.0.0"""


def test_a_section_has_changesets_commits_and_dependencies_under_their_bumps() -> None:
    assert write_section(A, PLAN.releases[1], PLAN) == SECTION


def test_a_new_changelog_begins_with_its_title() -> None:
    assert insert_section("", SECTION, title="a") == f"# a\n\n{SECTION}\n"


def test_a_section_goes_before_the_newest_one_and_after_what_is_unreleased() -> None:
    existing = "# Changelog\n\nWords.\n\n## [Unreleased]\n\n- soon\n\n## [1.0.0] - 2026-01-01\n\n- old\n"
    expected = f"# Changelog\n\nWords.\n\n## [Unreleased]\n\n- soon\n\n{SECTION}\n\n## [1.0.0] - 2026-01-01\n\n- old\n"
    assert insert_section(existing, SECTION, title="a") == expected
    assert insert_section("# a\n", SECTION, title="a") == f"# a\n\n{SECTION}\n"


def test_inserting_twice_changes_nothing_the_second_time() -> None:
    once = insert_section("# a\n\n## 1.0.0\n\n- old\n", SECTION, title="a")
    assert insert_section(once, SECTION, title="a") == once
