"""Everybody and nobody, also without a targeting key: what is written, read back, and asked of flagd's evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.flags.changes import new_flag, read_percentage, set_percentage
from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.memory_store import MemoryStore
from switchover.flags.rules import (
    all_of,
    any_of,
    build_targeting,
    describe_rule,
    for_groups,
    for_users,
    percentage,
    read_rule,
    variants,
)
from switchover.flags.served import read_served
from switchover.flags.shares import Shares, read_shares, write_shares
from switchover.flags.snapshot import Json
from switchover.flags.splits import RandomSplit, find_split
from tests.flags import rule_cases as cases
from tests.flags.rule_cases import Person, flag_with, serve

NOBODY_KNOWN = Person(None)
VIP: Json = {"var": "vip"}
BY_COMPANY: Json = {"cat": [{"var": "$flagd.flagKey"}, {"var": "company"}]}


def test_everybody_and_nobody_are_constants_that_read_back() -> None:
    assert build_targeting(percentage(100)) == {"if": [True, "on", "off"]}
    assert build_targeting(percentage(0)) == {"if": [False, "on", "off"]}
    behind: Any = build_targeting(any_of(for_users("ann"), percentage(100)))
    assert behind["if"][2] == {"if": [True, "on", "off"]}
    within: Any = build_targeting(all_of(any_of(for_users("ann"), percentage(100)), for_groups("beta")))
    assert within["if"][0]["and"][1]["or"][1] is True
    for percent in (0, 100):
        rule = read_rule(build_targeting(percentage(percent)))
        assert rule is not None
        assert describe_rule(rule) == f"everybody: {percent} % on, {100 - percent} % off"
        assert read_percentage(flag_with(build_targeting(percentage(percent)))) == percent


@pytest.mark.parametrize("default", ["on", "off"])
@pytest.mark.parametrize("person", [NOBODY_KNOWN, Person(""), Person("ann")])
def test_all_percent_is_everybody_and_none_is_nobody(default: str, person: Person) -> None:
    flag = flag_with(None, default=default)
    for percent in (0, 25, 100, 25, 0, 100):
        flag = set_percentage(flag, percent)
        assert percent == 25 or serve(flag, person) == ("on" if percent else "off")


@given(cases.audiences, st.lists(cases.people, min_size=1, max_size=5), st.sampled_from(["on", "off"]))
@settings(max_examples=150)
def test_whatever_else_a_rule_says_everybody_is_everybody_and_nobody_nobody(
    audience: Any, people: list[Person], default: str
) -> None:
    everybody = flag_with(build_targeting(any_of(audience, percentage(100))), default=default)
    nobody = flag_with(build_targeting(all_of(audience, percentage(0))), default=default)
    for person in people:
        assert serve(everybody, person) == "on"
        assert serve(nobody, person) == "off"


@given(
    st.one_of(cases.targetings, st.none()),
    st.lists(st.one_of(st.sampled_from([0.0, 100.0]), cases.percents), min_size=2, max_size=4).map(sorted),
    st.lists(cases.people, min_size=1, max_size=5),
)
@settings(max_examples=200)
def test_raising_a_percentage_takes_the_feature_from_nobody_who_says_no_key(
    targeting: Any, steps: list[float], people: list[Person]
) -> None:
    flag = flag_with(targeting)
    try:
        flag = set_percentage(flag, steps[0])
    except InputError:
        reject()
    for percent in steps[1:]:
        raised = set_percentage(flag, percent)
        assert read_percentage(raised) == percent
        for person in people:
            keyless = Person(None, person.attributes)
            assert serve(flag, keyless) != "on" or serve(raised, keyless) == "on"
        flag = raised


BY_HAND: list[Any] = [
    {"fractional": [["off", 70], ["on", 30]]},
    {"fractional": [BY_COMPANY, ["on", 30], ["off", 70]]},
    {"if": [VIP, "on", {"fractional": [BY_COMPANY, ["off", 70], ["on", 30]]}]},
    {"if": [{"==": [{"fractional": [["out", 70], ["in", 30]]}, "in"]}, "on", "off"]},
    {
        "if": [
            {"and": [{"!": [VIP]}, {"==": [{"fractional": [BY_COMPANY, ["in", 30], ["out", 70]]}, "in"]}]},
            "on",
            "off",
        ]
    },
]


@pytest.mark.parametrize("targeting", BY_HAND)
def test_what_was_written_by_hand_comes_back_from_everybody_and_nobody(targeting: Any) -> None:
    before = flag_with(targeting)
    for end in (100, 0):
        there = set_percentage(before, end)
        assert read_percentage(there) == end
        assert set_percentage(there, end) == there
        assert serve(there, NOBODY_KNOWN) == ("on" if end else "off")
        assert serve(there, Person("ann")) == ("on" if end else "off")
        back = set_percentage(set_percentage(there, 100 - end), 30)
        for number in range(60):
            person = Person(f"user-{number}", {"company": f"company-{number % 9}"})
            assert serve(back, person) == serve(before, person)


def test_a_share_of_all_that_is_no_constant_becomes_one() -> None:
    flag = flag_with({"fractional": [["on", 100], ["off", 0]]})
    assert serve(flag, NOBODY_KNOWN) == "off"
    assert read_percentage(flag) == 100
    assert set_percentage(flag, 100)["targeting"] == {"if": [True, "on", "off"]}


@pytest.mark.parametrize(
    "shares",
    [
        Shares((("on", 10_000), ("off", 0))),
        Shares((("off", 0), ("on", 10_000))),
        Shares((("a", 0), ("b", 10_000), ("c", 0))),
        Shares((("on", 10_000), ("off", 0)), {"var": "email"}),
        Shares((("on", 1), ("off", 3))),
        Shares((("on", 1),), {"var": "email"}),
    ],
)
def test_shares_read_back_in_their_order(shares: Shares) -> None:
    assert read_shares(write_shares(shares)) == shares


@pytest.mark.parametrize(
    "node",
    [
        {"if": [1, "on", "off"]},
        {"if": [True, "on", "on"]},
        {"if": [True, "on"]},
        {"if": [True, "off", {"fractional": [["on", 1], ["off", 0]]}]},
        {"if": [False, "on", {"fractional": [["on", 1], ["off", 0]]}]},
        {"if": [True, "on", "off"], "x": 1},
        {"fractional": [["on", True]]},
        {"fractional": [["on", -1], ["off", 3]]},
    ],
)
def test_what_is_no_share_is_none(node: object) -> None:
    assert read_shares(node) is None


def test_a_split_of_three_that_one_has_all_of_is_for_everybody() -> None:
    rule = variants({"on": 0, "off": 100, "third": 0})
    targeting = build_targeting(rule)
    assert read_rule(targeting) is not None
    assert serve(flag_with(targeting, {"on": True, "off": False, "third": True}, "on"), NOBODY_KNOWN) == "off"
    assert build_targeting(variants({"on": 100})) == {"if": ["on"]}


@given(cases.percents, st.one_of(st.none(), st.just(""), st.uuids().map(str)))
@settings(max_examples=100)
def test_a_percentage_in_code_is_that_of_a_stored_flag_with_a_key_and_without(percent: float, key: str | None) -> None:
    stored = MemoryStore.from_document({"flags": {"new": set_percentage(new_flag(), percent)}})
    with Client(stored.feed()) as with_flag, Client(MemoryStore().feed()) as without:
        for each in (percent, 0, 100):
            if each == percent:
                assert with_flag.percentage("new", each, Context(key)) is without.percentage("new", each, Context(key))
            assert without.percentage_detail("new", 0, Context(key)).error_code is None


@pytest.mark.parametrize("percent", [0, 100])
def test_at_the_ends_a_stored_percentage_agrees_with_one_in_code(percent: int) -> None:
    stored = MemoryStore.from_document(
        {"flags": {"new": set_percentage({**new_flag(), "defaultVariant": "on"}, percent)}}
    )
    with Client(stored.feed()) as with_flag, Client(MemoryStore().feed()) as without:
        for context in (Context(), Context("ann")):
            assert with_flag.percentage("new", percent, context) is bool(percent)
            assert without.percentage("new", percent, context) is bool(percent)


@pytest.mark.parametrize(
    ("targeting", "served"),
    [
        ({"if": [True, "on", "off"]}, {"on"}),
        ({"if": [False, "on", "off"]}, {"off"}),
        ({"if": [VIP, "on", {"if": [True, "on", "off"]}]}, {"on"}),
        ({"if": [{"or": [VIP, True]}, "on", "off"]}, {"on"}),
        ({"if": [{"and": [VIP, False]}, "on", "off"]}, {"off"}),
        ({"if": [{"or": [VIP, False]}, "on", "off"]}, {"on", "off"}),
        ({"fractional": [["on", 100], ["off", 0]]}, {"on", "off"}),
        ({"fractional": [["on", 1]]}, {"on", "off"}),
    ],
)
def test_a_variant_is_served_alone_only_where_it_is_without_a_key_too(targeting: Json, served: set[str]) -> None:
    assert set(read_served(flag_with(targeting), {}) or ()) == served


@pytest.mark.parametrize(
    ("targeting", "split"),
    [
        ({"if": [True, "on", "off"]}, RandomSplit(0, {"on": 10_000, "off": 0})),
        ({"if": [False, "on", "off"]}, RandomSplit(1, {"on": 0, "off": 10_000})),
        ({"if": [VIP, "on", {"if": [True, "on", "off"]}]}, RandomSplit(1, {"on": 10_000, "off": 0})),
        (
            {"if": [True, "off", {"fractional": [BY_COMPANY, ["on", 0], ["off", 1]]}]},
            RandomSplit(0, {"on": 0, "off": 1}),
        ),
    ],
)
def test_an_experiment_that_ended_at_everybody_keeps_its_split(targeting: Json, split: RandomSplit) -> None:
    flag = flag_with(targeting)
    assert find_split(flag) == split
    stored = MemoryStore.from_document({"flags": {"new": flag}})
    with Client(stored.feed()) as client:
        assert client.resolve("new", Context("ann")).rule == split.rule
