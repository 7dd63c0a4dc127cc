from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.flags.definition import find_mistakes
from switchover.flags.rule_values import Rule, as_rule
from switchover.flags.rules import (
    all_of,
    any_of,
    build_targeting,
    describe_rule,
    for_groups,
    for_users,
    gradual_rollout,
    internal_team,
    percentage,
    read_rule,
    variants,
    when,
)
from tests.flags import rule_cases as cases
from tests.flags.rule_cases import Person, expect, flag_with, serve


@given(cases.built)
@settings(max_examples=200)
def test_a_rule_that_was_built_is_sound_and_reads_back(rule: Any) -> None:
    targeting = build_targeting(rule)
    assert find_mistakes({"flags/checkout": flag_with(targeting)}) == ()
    read = read_rule(targeting)
    assert read is not None
    assert build_targeting(read) == targeting
    assert describe_rule(read)


@given(cases.built, st.lists(cases.people, min_size=1, max_size=8), st.sampled_from(["on", "off"]))
@settings(max_examples=300)
def test_flagds_evaluator_serves_what_the_words_of_a_rule_say(rule: Any, people: list[Person], default: str) -> None:
    flag = flag_with(build_targeting(rule), default=default)
    for person in people:
        assert serve(flag, person) == expect(as_rule(rule), person, default)


@given(cases.audiences, cases.people)
@settings(max_examples=200)
def test_an_audience_gets_on_and_the_others_get_off(audience: Any, person: Person) -> None:
    known = Person(person.key or "somebody", person.attributes)
    held = audience.audience if hasattr(audience, "audience") else audience
    assert serve(flag_with(build_targeting(audience)), known) == ("on" if cases.holds(held, known) else "off")


@given(st.tuples(cases.percents, cases.percents).map(sorted), cases.leaves, st.uuids().map(str))
def test_a_higher_percentage_keeps_everybody_of_the_lower_one(steps: list[float], other: Any, key: str) -> None:
    for combine in (any_of, all_of):
        low, high = (flag_with(build_targeting(combine(other, percentage(percent)))) for percent in steps)
        person = Person(key, {"groups": ["premium"], "plan": "paid", "internal": True})
        assert serve(low, person) != "on" or serve(high, person) == "on"


def test_a_percentage_of_a_group_is_a_part_of_the_group_and_of_nobody_else() -> None:
    flag = flag_with(build_targeting(all_of(for_groups("beta-testers"), percentage(25))))
    keys = [f"user-{number}" for number in range(400)]
    inside = sum(serve(flag, Person(key, {"groups": ["beta-testers"]})) == "on" for key in keys)
    outside = sum(serve(flag, Person(key, {"groups": ["premium"]})) == "on" for key in keys)
    assert 60 <= inside <= 140
    assert outside == 0


def test_the_stored_form_is_what_flagds_examples_look_like() -> None:
    assert build_targeting(percentage(25)) == {"fractional": [["on", 2500], ["off", 7500]]}
    assert build_targeting(any_of(for_users("ann", "bob"), percentage(0.01))) == {
        "if": [
            {"in": [{"var": "targetingKey"}, ["ann", "bob"]]},
            "on",
            {"fractional": [["on", 1], ["off", 9999]]},
        ]
    }
    assert build_targeting(all_of(percentage(25), for_groups("beta")), on="new", off="old") == {
        "if": [
            {"some": [{"var": "groups"}, {"in": [{"var": ""}, ["beta"]]}]},
            {"fractional": [["new", 2500], ["old", 7500]]},
            "old",
        ]
    }
    assert build_targeting(internal_team("example.com").serve("B").otherwise(variants({"A": 50, "B": 50}))) == {
        "if": [
            {"ends_with": [{"var": "email"}, "@example.com"]},
            "B",
            {"fractional": [["A", 5000], ["B", 5000]]},
        ]
    }


def test_an_address_that_only_looks_like_the_domain_is_not_internal() -> None:
    flag = flag_with(build_targeting(internal_team("example.com")))
    assert serve(flag, Person("a", {"email": "ann@example.com"})) == "on"
    assert serve(flag, Person("a", {"email": "ann@evilexample.com"})) == "off"
    assert serve(flag, Person("a")) == "off"


def test_a_missing_age_is_not_below_eighteen() -> None:
    flag = flag_with(build_targeting(when("age", "<", 18)))
    assert [serve(flag, Person("a", ages)) for ages in ({}, {"age": None}, {"age": 17}, {"age": 18})] == [
        "off",
        "off",
        "on",
        "off",
    ]


def test_several_percentages_in_one_audience_are_one() -> None:
    assert any_of(percentage(10), percentage(25)) == percentage(25)
    assert all_of(percentage(10), percentage(25)) == percentage(10)


def test_a_gradual_rollout_goes_up_step_by_step() -> None:
    rollout = gradual_rollout([10, 25, 100], at=1)
    assert rollout.current == 25
    assert build_targeting(rollout) == build_targeting(percentage(25))
    following = rollout.next()
    assert following is not None
    assert following.current == 100
    assert following.next() is None
    assert build_targeting(rollout.otherwise("off")) == build_targeting(percentage(25))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (percentage(25), "everybody: 25 % on, 75 % off"),
        (
            any_of(for_users("ann", "bob"), when("plan", "==", "paid"), percentage(0.5)),
            'users ann, bob: on; those whose plan is "paid": on; everybody else: 0.5 % on, 99.5 % off',
        ),
        (
            for_groups("beta", "premium").serve("B").otherwise(all_of(internal_team(), percentage(50))),
            "members of beta or premium: B; those whose internal is true: 50 % on, 50 % off; everybody else: off",
        ),
        (
            all_of(any_of(for_users("ann"), percentage(3)), when("v", "sem_ver >=", "1.2.3")),
            'those whose v is version >= "1.2.3" and (users ann or 3 % of everybody): on; everybody else: off',
        ),
        (
            for_users(*map(str, range(12))).serve("on"),
            "users 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more: on; everybody else: the default variant",
        ),
    ],
)
def test_a_rule_is_told_in_plain_words(rule: Any, words: str) -> None:
    assert describe_rule(as_rule(rule)) == words


@pytest.mark.parametrize(
    "targeting",
    [
        None,
        {},
        [],
        "on",
        {"if": [1, "on", "off"]},
        {"fractional": [["on", 100], ["off", 0]]},
        {"if": []},
        {"if": [None]},
        {"if": [{"var": "x"}, "on", "off"]},
        {"if": [{"in": [{"var": "a", "b": 1}, ["x"]]}, "on", "off"]},
        {"if": [{"and": [{"var": "x"}, {"in": [{"var": "a"}, ["x"]]}]}, "on", "off"]},
        {"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on"]},
        {"fractional": [["on", 2500], ["off", 7500]], "if": []},
        {"fractional": [{"var": "email"}, ["on", 25], ["off", 75]]},
        {"fractional": [["on", 0], ["off", 0]]},
        {"fractional": [["on", 1.0], ["off", True]]},
        {"fractional": ["on"]},
        {"==": [1, 1]},
    ],
)
def test_what_was_written_by_hand_in_another_way_reads_as_no_rule(targeting: object) -> None:
    assert read_rule(targeting) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["if", "in", "var", "fractional", "and", "==", "!", "some", "===", "sem_ver", "<"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=300)
def test_reading_takes_any_json(targeting: object) -> None:
    rule = read_rule(targeting)
    assert rule is None or build_targeting(rule) == targeting


def test_reading_takes_json_that_is_deeper_than_python_can_follow() -> None:
    deep: object = "x"
    for _ in range(3000):
        deep = {"and": [deep]}
    assert read_rule({"if": [deep, "on", "off"]}) is None


@pytest.mark.parametrize("percent", [-1, 100.01, 0.005, float("nan"), float("inf"), True, "25", None])
def test_what_is_no_percentage_is_refused(percent: Any) -> None:
    with pytest.raises(InputError, match="percentage"):
        percentage(percent)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: gradual_rollout([]), "steps"),
        (lambda: gradual_rollout([10, 10]), "steps"),
        (lambda: gradual_rollout([10, 20], at=2), "index from 0 to 1"),
        (lambda: variants({"A": 50, "B": 49}), "add up to 100"),
        (lambda: variants({}), "add up to 100"),
        (lambda: variants([("A", 100)]), "split"),  # type: ignore[arg-type]
        (for_users, "at least"),
        (lambda: for_users(""), "not empty"),
        (lambda: for_groups(7), "not empty"),  # type: ignore[arg-type]
        (any_of, "at least one audience"),
        (lambda: all_of("beta"), "an audience"),  # type: ignore[arg-type]
        (lambda: when("", "==", 1), "attribute"),
        (lambda: when("$flagd.time", ">", 1), r"did you mean \$flagd.timestamp"),
        (lambda: when("plan", "starts-with", "x"), "did you mean starts_with"),
        (lambda: when("plan", "in", "paid"), "a list"),
        (lambda: when("plan", "in", []), "a list"),
        (lambda: when("plan", "==", [1]), "a text, a number or a boolean"),
        (lambda: when("plan", "starts_with", 1), "a text"),
        (lambda: when("v", "sem_ver >=", "1.2"), "1.2.3"),
        (lambda: when("age", "<", float("nan")), "a number"),
        (lambda: build_targeting(Rule()), "nobody"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(build: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        build()
