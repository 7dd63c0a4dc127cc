from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.flags.additions import read_additions
from switchover.flags.changes import (
    disable,
    enable,
    is_killed,
    kill,
    new_flag,
    read_percentage,
    revive,
    set_addition,
    set_default,
    set_percentage,
    target_users,
    untarget_users,
)
from switchover.flags.definition import find_mistakes
from switchover.flags.rules import (
    all_of,
    any_of,
    build_targeting,
    for_groups,
    for_users,
    percentage,
    read_rule,
    variants,
    when,
)
from tests.flags import rule_cases as cases
from tests.flags.rule_cases import Person, flag_with, serve

ON_A_B = {"on": True, "a": False, "b": False}
TRUE_FALSE = {"true": True, "false": False}
COLOURS = {"red": "#f00", "green": "#0f0", "blue": "#00f"}


def sound(flag: dict[str, Any]) -> bool:
    return find_mistakes({"flags/checkout": flag}) == ()


@given(cases.flags)
@settings(max_examples=200)
def test_a_flag_that_is_killed_and_revived_is_what_it_was(flag: dict[str, Any]) -> None:
    assert sound(flag)
    before = json.dumps(flag)
    killed = kill(flag)
    assert sound(killed)
    assert is_killed(killed)
    assert kill(killed) == killed
    assert revive(killed) == flag
    assert revive(flag) == flag
    assert json.dumps(flag) == before


@given(cases.flags, st.sampled_from(["on", "off"]), st.lists(cases.people, min_size=1, max_size=4))
@settings(max_examples=200)
def test_a_killed_flag_serves_the_off_variant_to_everybody(
    flag: dict[str, Any], off: str, people: list[Person]
) -> None:
    for person in people:
        assert serve(kill(flag), person) == "off"
        assert serve(kill(flag, off), person) == off
        assert serve(kill(kill(flag), off), person) == off


EDITS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    enable,
    disable,
    lambda flag: set_default(flag, "on"),
    lambda flag: target_users(flag, ["ann", "dora"], "on"),
    lambda flag: target_users(flag, ["bob"], "off"),
    lambda flag: untarget_users(flag, ["ann", "bob"]),
    lambda flag: set_addition(flag, "expires", date(2027, 1, 31)),
    lambda flag: set_addition(flag, "owner", None),
]


@given(cases.flags, st.lists(st.sampled_from(EDITS), max_size=4))
@settings(max_examples=150)
def test_a_killed_flag_is_edited_for_the_time_when_it_is_revived(
    flag: dict[str, Any], edits: list[Callable[[dict[str, Any]], dict[str, Any]]]
) -> None:
    edited, killed = flag, kill(flag)
    for edit in edits:
        edited, killed = edit(edited), edit(killed)
        assert sound(edited)
        assert sound(killed)
        assert edit(edited) == edited
        assert serve(killed, Person("ann")) == "off"
    assert revive(killed) == edited


@given(
    st.one_of(cases.targetings, st.none()),
    st.lists(cases.percents, min_size=2, max_size=3).map(sorted),
    st.lists(cases.people, min_size=1, max_size=6),
)
@settings(max_examples=300)
def test_raising_a_percentage_takes_the_feature_from_nobody(
    targeting: Any, steps: list[float], people: list[Person]
) -> None:
    flag = flag_with(targeting)
    try:
        flag = set_percentage(flag, steps[0])
    except InputError:
        reject()  # several percentages, none of them for everybody else
    for percent in steps[1:]:
        raised = set_percentage(flag, percent)
        assert sound(raised)
        assert read_percentage(raised) == percent
        assert set_percentage(raised, percent) == raised
        for person in people:
            assert serve(flag, person) != "on" or serve(raised, person) == "on"
        flag = raised


@pytest.mark.parametrize("order", [["on", "off"], ["off", "on"]])
def test_a_split_that_was_written_by_hand_keeps_its_order_and_its_people(order: list[str]) -> None:
    by_hand = flag_with({"if": [{"var": "vip"}, "on", {"fractional": [[order[0], 30], [order[1], 70]]}]})
    before = read_percentage(by_hand)
    assert before in {30, 70}
    raised = set_percentage(by_hand, 80)
    assert [share[0] for share in raised["targeting"]["if"][2]["fractional"]] == order
    for number in range(200):
        person = Person(f"user-{number}")
        assert serve(by_hand, person) != "on" or serve(raised, person) == "on"
        assert serve(set_percentage(raised, before), person) == serve(by_hand, person)


def test_only_the_percentage_of_a_rule_is_changed() -> None:
    rule = any_of(for_users("ann"), for_groups("beta"), when("plan", "==", "paid"), percentage(10))
    wanted = any_of(for_users("ann"), for_groups("beta"), when("plan", "==", "paid"), percentage(12.5))
    assert set_percentage(flag_with(build_targeting(rule)), 12.5) == flag_with(build_targeting(wanted))
    group = flag_with(build_targeting(all_of(for_groups("beta"), percentage(10))))
    assert set_percentage(group, 50) == flag_with(build_targeting(all_of(for_groups("beta"), percentage(50))))
    within = all_of(any_of(for_users("ann"), percentage(10)), for_groups("beta"))
    wider = all_of(any_of(for_users("ann"), percentage(60)), for_groups("beta"))
    assert set_percentage(flag_with(build_targeting(within)), 60) == flag_with(build_targeting(wider))


def test_a_rule_without_a_percentage_gets_one_for_everybody_else() -> None:
    flag = set_percentage(flag_with(build_targeting(for_users("ann"))), 25)
    assert flag["targeting"] == build_targeting(any_of(for_users("ann"), percentage(25)))
    assert set_percentage(flag_with(None), 25)["targeting"] == build_targeting(percentage(25))
    assert set_percentage(flag_with({}, default="on"), 25)["targeting"] == build_targeting(percentage(25))


def test_the_percentage_for_everybody_else_goes_before_one_inside_a_branch() -> None:
    rule = any_of(all_of(for_groups("beta"), percentage(50)), percentage(10))
    wanted = any_of(all_of(for_groups("beta"), percentage(50)), percentage(20))
    assert set_percentage(flag_with(build_targeting(rule)), 20) == flag_with(build_targeting(wanted))


def test_a_percentage_of_a_flag_with_several_variants_needs_the_variant() -> None:
    flag = new_flag(COLOURS, default="red")
    with pytest.raises(InputError, match="name the variant"):
        set_percentage(flag, 25)
    blue = set_percentage(flag, 25, "blue")
    assert blue["targeting"] == {"fractional": [["blue", 2500], ["red", 7500]]}
    assert read_percentage(blue, "blue") == 25
    assert read_percentage(blue, "green") is None
    assert read_percentage(set_percentage(blue, 40, "red"), "blue") == 60


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (flag_with({"if": [{"var": "vip"}, "on", "off"]}), "written by hand"),
        (flag_with({"==": [{"fractional": [["true", 1], ["false", 3]]}, "false"]}, TRUE_FALSE), "by hand"),
        (flag_with(build_targeting(variants({"a": 50, "b": 50})), ON_A_B), "another split"),
        (
            flag_with(
                build_targeting(any_of(all_of(for_groups("a"), percentage(5)), all_of(for_groups("b"), percentage(6))))
            ),
            "several percentages",
        ),
        ({"state": "ENABLED", "variants": ON_A_B}, "what the others get"),
        ({"state": "ENABLED"}, "no variants"),
    ],
)
def test_a_percentage_that_has_no_place_is_refused(flag: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        set_percentage(flag, 25)


@given(cases.flags, st.lists(st.sampled_from([*cases.USERS, "dora"]), min_size=1), cases.people)
@settings(max_examples=200)
def test_targeted_users_get_their_variant_and_nobody_elses_changes(
    flag: dict[str, Any], users: list[str], person: Person
) -> None:
    flag = enable(flag)
    served = serve(flag, person)
    for variant in ("on", "off"):
        targeted = target_users(flag, users, variant)
        assert sound(targeted)
        assert serve(targeted, person) == (variant if person.key in users else served)
        assert target_users(targeted, users, variant) == targeted
        other = target_users(targeted, users[:1], "on" if variant == "off" else "off")
        assert (serve(other, Person(users[0])) == variant) is False


def test_untargeting_brings_back_what_was_there() -> None:
    for targeting in (None, {"if": ["off"]}, {"if": [{"var": "vip"}, "on"]}, build_targeting(percentage(25))):
        flag = flag_with(targeting)
        assert untarget_users(target_users(flag, ["ann", "bob"], "on"), ["bob", "ann"]) == flag
        assert untarget_users(flag, ["ann"]) == flag
    reference = flag_with({"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on", {"$ref": "rest"}]})
    left = untarget_users(reference, ["ann"])
    assert find_mistakes({"flags/x": left, "$evaluators/rest": {"if": [{"var": "vip"}, "on", "off"]}}) == ()


def test_targeting_a_user_moves_it_between_the_branches() -> None:
    flag = target_users(target_users(new_flag(), ["ann", "bob"], "on"), ["ann", "cem"], "off")
    assert flag["targeting"] == {
        "if": [
            {"in": [{"var": "targetingKey"}, ["ann", "cem"]]},
            "off",
            {"in": [{"var": "targetingKey"}, ["bob"]]},
            "on",
            None,
        ]
    }
    assert read_rule(flag["targeting"]) is not None
    assert untarget_users(flag, ["ann", "bob", "cem"]) == new_flag()


@pytest.mark.parametrize("users", [[], [""], [7], ""])
def test_users_need_names(users: Any) -> None:
    with pytest.raises(InputError, match="users"):
        target_users(new_flag(), users, "on")


def test_a_flag_says_itself_what_a_kill_serves() -> None:
    flag = new_flag(COLOURS, default="red")
    with pytest.raises(InputError, match="nobody has said what it then serves"):
        kill(flag)
    assert serve_text(kill(flag, "green")) == "green"
    assert serve_text(kill(set_addition(flag, "off", "blue"))) == "blue"
    with pytest.raises(InputError, match="did you mean green"):
        kill(flag, "gren")


def serve_text(flag: dict[str, Any]) -> str:
    variant = flag["targeting"]["if"][1]
    assert flag["targeting"]["if"][0] is True
    assert sound(flag)
    return str(variant)


def test_a_disabled_flag_serves_off_while_it_is_killed_and_is_disabled_again_after() -> None:
    flag = disable(new_flag())
    killed = kill(flag)
    assert killed["state"] == "ENABLED"
    assert revive(killed) == flag
    assert revive(enable(killed)) == enable(flag)
    assert revive(disable(kill(new_flag()))) == flag


def test_a_targeting_that_was_changed_under_a_kill_is_not_guessed_at() -> None:
    killed = {**kill(new_flag()), "targeting": {"if": [{"var": "x"}, "on", "off"]}}
    with pytest.raises(InputError, match="changed while it was killed"):
        revive(killed)
    with pytest.raises(InputError, match="changed while it was killed"):
        set_default(killed, "on")


def test_the_largest_and_deepest_flag_can_be_killed() -> None:
    deep: object = {"var": "x"}
    for _ in range(40):
        deep = {"!": [deep]}
    flag = flag_with({"if": [deep, "on", "off"]})
    while sound(flag_with({"if": [{"!": flag["targeting"]["if"][0]}, "on", "off"]})):
        flag = flag_with({"if": [{"!": flag["targeting"]["if"][0]}, "on", "off"]})
    assert sound(flag)
    assert sound(kill(flag))
    large = flag_with(build_targeting(for_users(*(f"user-{number:013}" for number in range(45_000)))))
    assert sound(large)
    assert sound(kill(large))


def test_a_new_flag_is_off_for_everybody_and_says_whose_it_is() -> None:
    flag = new_flag(owner="shop", created=date(2026, 11, 23), expires=date(2027, 2, 1))
    assert sound(flag)
    assert serve(flag, Person("ann")) == "off"
    additions = read_additions(flag)
    assert (additions.owner, additions.created, additions.expires) == ("shop", date(2026, 11, 23), date(2027, 2, 1))
    assert "defaultVariant" not in new_flag(COLOURS)
    with pytest.raises(InputError, match="did you mean red"):
        new_flag(COLOURS, default="rad")


def test_additions_are_set_and_taken_away() -> None:
    flag = new_flag()
    wanted = set_addition(flag, "switchover.prerequisites", {"payments": "on"})
    assert read_additions(wanted).prerequisites == {"payments": "on"}
    assert set_addition(wanted, "prerequisites", None) == flag
    assert read_additions(set_addition(flag, "experiment", value=True)).experiment
    kept = set_addition({**flag, "metadata": {"team": "shop"}}, "owner", "ann")
    assert kept["metadata"] == {"team": "shop", "switchover.owner": "ann"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("kill", "off", "one of owner"),
        ("killed_state", "DISABLED", "one of owner"),
        ("experimant", True, "did you mean experiment"),
        ("expires", "31.12.2026", "a date like"),
        ("expires", "2026-02-30", "a date like"),
        ("owner", " ", "not empty"),
        ("owner", True, "not empty"),
        ("experiment", "yes", "true or false"),
        ("prerequisites", "payments", "JSON object"),
        ("off", "of", "did you mean off"),
    ],
)
def test_an_addition_that_cannot_be_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        set_addition(new_flag(), name, value)
