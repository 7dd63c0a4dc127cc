from __future__ import annotations

import pytest

from switchover.flags.snapshot import Json
from switchover.flags.splits import RandomSplit, find_split
from tests.flags.recording_cases import SPLIT, boolean

EVEN = {"on": 50, "off": 50}
BOSS: Json = {"in": [{"var": "targetingKey"}, ["boss"]]}
OTHER: Json = {"fractional": [["on", 10], ["off", 90]]}


@pytest.mark.parametrize(
    ("targeting", "expected"),
    [
        (SPLIT, RandomSplit(0, EVEN)),
        ({"if": [BOSS, "on", SPLIT]}, RandomSplit(1, EVEN)),
        ({"if": [BOSS, SPLIT, "off"]}, RandomSplit(0, EVEN)),
        ({"if": [BOSS, "on", BOSS, SPLIT]}, RandomSplit(1, EVEN)),
        ({"fractional": [{"var": "company"}, ["on", 1], ["off", 3]]}, RandomSplit(0, {"on": 1, "off": 3})),
        ({"fractional": [["on"], ["off"], ["on", 2]]}, RandomSplit(0, {"on": 3, "off": 1})),
        ({"if": [BOSS, OTHER, SPLIT]}, None),
        ({"if": [BOSS, "on", {"if": [BOSS, "on", SPLIT]}]}, None),
        ({"fractional": [["on", {"var": "weight"}], ["off", 1]]}, None),
        ({"fractional": [["on", 0]]}, None),
        ({"fractional": []}, None),
        ({"fractional": "on"}, None),
        ({"fractional": [["on", 1]], "if": []}, None),
        ({"if": "on"}, None),
        ("on", None),
        (None, None),
    ],
)
def test_the_only_split_among_the_branches_is_found(targeting: Json, expected: RandomSplit | None) -> None:
    assert find_split(boolean(targeting)) == expected


def test_the_split_of_a_killed_flag_is_the_one_that_comes_back() -> None:
    flag = {**dict(boolean({"if": [True, "off", {"if": [BOSS, "on", SPLIT]}]})), "metadata": {"switchover.kill": "off"}}  # type: ignore[arg-type]
    assert find_split(flag) == RandomSplit(1, EVEN)


@pytest.mark.parametrize("flag", [None, [], "x", {}, {"targeting": {}}, {"metadata": {"switchover.kill": "off"}}])
def test_what_is_no_flag_has_no_split(flag: object) -> None:
    assert find_split(flag) is None
