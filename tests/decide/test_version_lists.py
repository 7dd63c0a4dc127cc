"""The lists of valid and invalid versions that semver.org gives with its regular expression."""

from __future__ import annotations

import pytest

from switchover.decide.version_text import parse_version

VALID = [
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.1.2+meta-valid",
    "1.0.0-alpha",
    "1.0.0-beta",
    "1.0.0-alpha.beta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha.0valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "1.0.0-rc.1+build.1",
    "2.0.0-rc.1+build.123",
    "1.2.3-beta",
    "10.2.3-DEV-SNAPSHOT",
    "1.2.3-SNAPSHOT-123",
    "1.0.0",
    "2.0.0",
    "1.1.7",
    "2.0.0+build.1848",
    "2.0.1-alpha.1227",
    "1.0.0-alpha+beta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.2.3----R-S.12.9.1--.12+meta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "1.0.0-0A.is.legal",
]
INVALID = [
    "1",
    "1.2",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "-invalid+invalid",
    "-invalid.01",
    "alpha",
    "alpha.beta",
    "alpha.beta.1",
    "alpha.1",
    "alpha+beta",
    "alpha_beta",
    "alpha.",
    "alpha..",
    "beta",
    "1.0.0-alpha_beta",
    "-alpha.",
    "1.0.0-alpha..",
    "1.0.0-alpha..1",
    "1.0.0-alpha...1",
    "1.0.0-alpha....1",
    "1.0.0-alpha.....1",
    "1.0.0-alpha......1",
    "1.0.0-alpha.......1",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
    "1.2-RC-SNAPSHOT",
    "-1.0.3-gamma+b7718",
    "+justmeta",
    "9.8.7+meta+meta",
    "9.8.7-whatever+meta+meta",
    "99999999999999999999999.999999999999999999.99999999999999999----RC-SNAPSHOT.12.09.1--------------------------------..12",
]
# Valid by the letter of semver.org, and beyond what JavaScript can count: npm refuses it.
BEYOND_NPM = "99999999999999999999999.999999999999999999.99999999999999999"


def test_the_lists_are_complete() -> None:
    assert (len({*VALID, BEYOND_NPM}), len(set(INVALID))) == (31, 39)


@pytest.mark.parametrize("text", VALID)
def test_a_valid_version_is_read_and_written_as_it_was(text: str) -> None:
    assert str(parse_version(text)) == text


@pytest.mark.parametrize("text", [*INVALID, BEYOND_NPM])
def test_an_invalid_version_is_none(text: str) -> None:
    assert parse_version(text) is None


def test_the_limits_are_those_of_npm() -> None:
    assert parse_version("9007199254740991.9007199254740991.9007199254740991") is not None
    assert parse_version("1.9007199254740992.0") is None
    assert parse_version(f"1.0.0-{'a' * 250}") is not None
    assert parse_version(f"1.0.0-{'a' * 251}") is None
