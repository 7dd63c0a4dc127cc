from __future__ import annotations

import pytest

from switchover.decide.bumps import Bump
from switchover.decide.packages import Section
from switchover.decide.range_rewriting import RangeRules
from switchover.decide.requirements import (
    list_requirements,
    move_requirement,
    normalise_name,
    read_requirement,
    refuse_foreign_version,
)
from switchover.decide.versions import PlannedRelease
from switchover.errors import InputError

PATCH = PlannedRelease("core", Bump.PATCH, "1.4.0", "1.4.1")
MINOR = PlannedRelease("core", Bump.MINOR, "1.4.0", "1.5.0")
MAJOR = PlannedRelease("core", Bump.MAJOR, "1.4.0", "2.0.0")
MOVES = {
    "core": ("core", "core"),
    "core>=1.4.0": ("core>=1.5.0", "core>=2.0.0"),
    "core == 1.4.0": ("core == 1.5.0", "core == 2.0.0"),
    "core[fast,safe]~=1.4.0 ; python_version < '3.13'": (
        "core[fast,safe]~=1.5.0 ; python_version < '3.13'",
        "core[fast,safe]~=2.0.0 ; python_version < '3.13'",
    ),
    "core~=1.4": ("core~=1.5", "core~=2.0"),
    "core>=1.2,<2": ("core>=1.5.0,<2", "core>=2.0.0,<3"),
    "core <1.5, >=1.2": ("core <1.6, >=1.5.0", "core <3.0, >=2.0.0"),
    "core (>=1.4)": ("core (>=1.5.0)", "core (>=2.0.0)"),
    "core==1.*": ("core==1.*", "core==2.*"),
    "core>=1.0,!=1.3.0": ("core>=1.5.0,!=1.3.0", "core>=2.0.0,!=1.3.0"),
    "core<=1.4.0": ("core<=1.5.0", "core<=2.0.0"),
    "core @ file:///core": ("core @ file:///core", "core @ file:///core"),
}


@pytest.mark.parametrize("text", MOVES)
def test_a_requirement_follows_with_its_operators_and_everything_around_it(text: str) -> None:
    minor, major = MOVES[text]
    assert move_requirement(text, Section.RUN, MINOR, "core", RangeRules()) == minor
    assert move_requirement(text, Section.RUN, MAJOR, "core", RangeRules()) == major
    nothing = PlannedRelease("core", Bump.NONE, "1.4.0", "1.4.0")
    assert move_requirement(text, Section.RUN, nothing, "core", RangeRules()) == text


def test_a_requirement_that_holds_the_new_version_follows_as_the_settings_say() -> None:
    from_minor_on = RangeRules(minimum=Bump.MINOR)
    assert move_requirement("core>=1.4.0", Section.RUN, PATCH, "core", from_minor_on) == "core>=1.4.0"
    assert move_requirement("core==1.4.0", Section.RUN, PATCH, "core", from_minor_on) == "core==1.4.1"
    exact = RangeRules(exact=True)
    assert move_requirement("core>=1,<2 ; x", Section.RUN, MINOR, "core", exact) == "core==1.5.0 ; x"


def test_requirements_are_found_where_they_count() -> None:
    document = {
        "project": {"dependencies": ["a", 1], "optional-dependencies": {"x": ["b>=1"]}, "other": ["c"]},
        "dependency-groups": {"dev": ["d", {"include-group": "x"}]},
        "tool": {"dependencies": ["e"]},
    }
    assert list(list_requirements(document)) == [
        (("project", "dependencies", 0), "a", Section.RUN),
        (("project", "optional-dependencies", "x", 0), "b>=1", Section.OPTIONAL),
        (("dependency-groups", "dev", 0), "d", Section.DEV),
    ]
    assert list(list_requirements({"project": 1, "dependency-groups": []})) == []


def test_a_specifier_reads_as_an_npm_range() -> None:
    ranges = {"a>=1,!=1.5,<2": ">=1 <2", "a~=1.4": "^1.4", "a~=1.4.2": "~1.4.2", "a==1.*": "1.x", "a": "*", "": "*"}
    assert {text: read_requirement(text, Section.RUN).range for text in ranges} == ranges


def test_names_are_compared_as_python_does() -> None:
    assert normalise_name("My__Core.lib") == normalise_name("my-core-lib")


@pytest.mark.parametrize("version", ["1.4.0", "1.4.0-beta.0", "2.0.0-rc.1", "0.0.0-dev.20260101000000"])
def test_a_version_that_python_reads_passes(version: str) -> None:
    refuse_foreign_version(version, file="pyproject.toml")


@pytest.mark.parametrize("version", ["0.0.0-canary-20260101000000", "1.0.0-next.0", ""])
def test_a_version_that_python_does_not_read_is_refused(version: str) -> None:
    with pytest.raises(InputError, match="Python reads"):
        refuse_foreign_version(version, file="pyproject.toml")
