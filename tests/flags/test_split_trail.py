from __future__ import annotations

from datetime import UTC, datetime

import pytest

from switchover.flags.changes import kill, new_flag, set_percentage
from switchover.flags.snapshot import Change, Json, Note
from switchover.flags.split_trail import find_split_start, find_trusted_start
from tests.flags.recording_cases import SPLIT, boolean

PART = "flags/checkout"


def trail(*states: Json, first: int = 1) -> list[Change]:
    """The flag in each of these states, the n-th since second n; newest first."""
    pairs = zip((None, *states), states, strict=False)
    made = [
        Change(number, datetime.fromtimestamp(number, UTC), Note("ann", "", "set"), {PART: now}, {PART: then})
        for number, (then, now) in enumerate(pairs, 1)
    ]
    return made[first - 1 :][::-1]


def at(percent: float) -> Json:
    return set_percentage(new_flag(), percent)


def for_ann(percent: float) -> Json:
    flag = dict(at(percent))  # type: ignore[arg-type]
    return {**flag, "targeting": {"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on", flag["targeting"]]}}


def by(bucket: Json, on: int) -> Json:
    return boolean({"fractional": [bucket, ["on", on], ["off", 100 - on]]})


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ([at(50)], 1),
        ([at(10), at(50)], 2),
        ([at(50), for_ann(50), kill(for_ann(50))], 1),
        ([at(50), at(10), at(50)], 3),
        ([at(50), boolean(SPLIT)], 1),
        ([boolean(), at(50)], 2),
        ([at(50), boolean()], 2),
        ([by({"var": "company"}, 50), by({"var": "region"}, 50)], 2),
        ([at(10), at(50), None], 2),
    ],
)
def test_a_split_begins_where_the_chances_of_a_unit_last_changed(states: list[Json], since: int) -> None:
    assert find_split_start(trail(*states), "checkout") == since * 1000
    assert find_split_start(trail(*states), "other") == 0


def test_a_trail_that_does_not_reach_back_to_the_change_does_not_say() -> None:
    assert find_split_start(trail(at(50), for_ann(50), first=2), "checkout") == 0
    assert find_split_start([], "checkout") == 0


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ([at(0), at(1), at(50), at(100)], 1),
        ([at(50), at(10), at(25), at(50)], 2),
        ([at(50), boolean(), at(50)], 3),
        ([at(50), boolean()], 2),
        ([at(10), kill(at(10)), at(10), for_ann(25)], 1),
    ],
)
def test_a_share_is_trusted_since_it_last_fell(states: list[Json], since: int) -> None:
    assert find_trusted_start(trail(*states), "checkout", "on") == since * 1000


def test_what_is_older_than_the_trail_is_not_trusted() -> None:
    assert find_trusted_start(trail(at(10), at(25), at(50), first=2), "checkout", "on") == 2000
    assert find_trusted_start(trail(at(10), at(25), first=2), "other", "on") == 2000
    assert find_trusted_start([], "checkout", "on") == 0
