from __future__ import annotations

import pytest

from switchover.decide.bumps import Bump
from switchover.decide.ranges import satisfies
from switchover.decide.version_text import next_version, parse_version


@pytest.mark.parametrize(
    ("version", "bump", "expected"),
    [
        ("1.2.3", Bump.NONE, "1.2.3"),
        ("1.2.3", Bump.PATCH, "1.2.4"),
        ("1.2.3", Bump.MINOR, "1.3.0"),
        ("1.2.3", Bump.MAJOR, "2.0.0"),
        ("0.2.3", Bump.MAJOR, "1.0.0"),
        ("1.1.0-b.3", Bump.MINOR, "1.1.0"),
        ("1.0.1-b.0", Bump.MINOR, "1.1.0"),
        ("1.0.0-1", Bump.MAJOR, "1.0.0"),
        ("2.0.0-rc.1", Bump.PATCH, "2.0.0"),
    ],
)
def test_versions_grow_as_npm_grows_them(version: str, bump: Bump, expected: str) -> None:
    assert next_version(version, bump) == expected


@pytest.mark.parametrize("text", ["1.2", "v1.2.3", "01.2.3", "9007199254740992.0.0", "", "1.2.3rc1"])
def test_what_npm_refuses_is_no_version(text: str) -> None:
    assert parse_version(text) is None


def test_a_tag_is_no_range_and_holds_no_version() -> None:
    assert not satisfies("1.0.0", "latest")
    assert satisfies("1.0.0", "")
    assert not satisfies("1.1.0-b.0", "^1.0.0")
