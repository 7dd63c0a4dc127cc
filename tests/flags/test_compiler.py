"""One flag: what it answers, and why. `tests/differential/test_flags.py` shows that flagd answers the same."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.flags.context import NOBODY, Context
from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Reason
from tests.flags.compiler_cases import ON_OFF, a_flag, a_set, ask, holds, serves

ALICE = Context("alice", {"email": "alice@example.com", "plan": "premium", "age": 33, "version": "2.4.1"})
ZEROS: list[tuple[Any, Any]] = [(False, True), ("", "text"), (0, 1), (0.0, 1.0), ({}, {"a": 1}), ([], [1])]


def test_a_flag_without_targeting_serves_its_default_to_everybody() -> None:
    found = ask(a_flag(defaultVariant="on"))
    assert (found.flag, found.value, found.variant, found.reason, found.rule) == (
        "checkout",
        True,
        "on",
        Reason.STATIC,
        None,
    )


@pytest.mark.parametrize("targeting", [{}, [], "", 0, False, None])
def test_an_empty_targeting_is_none(targeting: Any) -> None:
    assert ask({**a_flag(), "targeting": targeting}).reason is Reason.STATIC


def test_the_same_answer_is_the_same_object_so_that_it_can_be_counted() -> None:
    flag_set = a_set({"checkout": a_flag({"if": [{"var": "beta"}, "on"]})})
    answer, flag = flag_set.answers["checkout"], flag_set.compiled["checkout"]
    found = [answer(Context("a", {"beta": True})), answer(Context("b", {"beta": 1})), answer(NOBODY)]
    assert found[0] is found[1]
    assert all(resolution in flag.resolutions for resolution in found)


@pytest.mark.parametrize(("zero", "other"), ZEROS)
def test_a_value_that_is_empty_or_zero_is_served_as_it_is(zero: Any, other: Any) -> None:
    flag = a_flag(
        {"if": [{"==": [{"var": "email"}, "bob@example.com"]}, "zero"]}, variants={"zero": zero, "other": other}
    )
    flag["defaultVariant"] = "zero"
    matched, not_matched = (
        ask(flag, Context("b", {"email": "bob@example.com"})),
        ask(flag, Context("b", {"email": None})),
    )
    assert (matched.value, matched.reason, matched.rule) == (zero, Reason.TARGETING_MATCH, 0)
    assert (not_matched.value, not_matched.reason, not_matched.rule) == (zero, Reason.DEFAULT, None)
    assert type(matched.value) is type(zero)


@pytest.mark.parametrize("default", [None, "", False, 0, "absent"])
def test_a_flag_without_a_default_variant_leaves_the_value_to_the_caller(default: Any) -> None:
    flag = a_flag(variants={"small": 10})
    if default == "absent":
        del flag["defaultVariant"]
    else:
        flag["defaultVariant"] = default
    if default is False:
        assert ask(flag).error_code is ErrorCode.GENERAL  # the variant `false`, which this flag does not have
        return
    found = ask(flag)
    assert (found.value, found.variant, found.reason, found.error_code) == (CALLERS_DEFAULT, None, Reason.DEFAULT, None)


def test_a_truth_as_default_variant_names_the_variant_of_its_word() -> None:
    assert ask(a_flag(variants={"true": "yes"}, defaultVariant=True)).value == "yes"


def test_a_disabled_flag_leaves_the_value_to_the_caller_whatever_its_rule_says() -> None:
    found = ask(a_flag({"nonsense": []}, state="DISABLED"))
    assert (found.value, found.variant, found.reason) == (CALLERS_DEFAULT, None, Reason.DISABLED)


def test_the_metadata_of_the_set_and_of_the_flag_come_with_each_answer() -> None:
    flags = {"checkout": a_flag(metadata={"team": "shop", "n": 2}), "broken": 7}
    flag_set = a_set(flags, metadata={"team": "all", "set": "web", "bad": [1]})
    assert flag_set.answers["checkout"](NOBODY).metadata == {"team": "shop", "set": "web", "n": 2}
    assert flag_set.answers["broken"](NOBODY).metadata == {"team": "all", "set": "web"}
    assert flag_set.metadata == {"team": "all", "set": "web"}


def test_only_the_flag_that_says_so_is_an_experiment() -> None:
    assert ask(a_flag({"if": [True, "on"]}, metadata={"switchover.experiment": True})).experiment
    assert not ask(a_flag(metadata={"switchover.experiment": "yes"})).experiment


def test_the_branch_that_answered_is_counted_in_the_order_of_the_document() -> None:
    rule = {"if": [{"var": "a"}, "on", False, "on", {"var": "b"}, {"if": [{"var": "c"}, "on", "off"]}, "off"]}
    flag = a_flag(rule)
    rules = [ask(flag, Context("k", {name: True})).rule for name in ("a", "b", "c")]
    assert rules == [0, 2, 3]
    assert ask(a_flag({"fractional": [["on", 1]]}), ALICE).rule == 0


def test_what_no_branch_can_reach_is_not_even_compiled() -> None:
    found = ask(a_flag({"if": [True, "on", {"nonsense": []}]}))
    assert (found.value, found.reason, found.rule) == (True, Reason.TARGETING_MATCH, 0)


@pytest.mark.parametrize(
    ("result", "variant"),
    [(True, "true"), (False, "false"), (1, "1"), (1.0, "1.0"), ([], "[]"), ({}, "{}"), ("on", "on")],
)
def test_what_a_rule_gives_is_read_as_the_name_of_a_variant(result: Any, variant: str) -> None:
    names = ["true", "false", "1", "1.0", "[]", "{}", "on"]
    variants = {name: name.upper() for name in names}
    assert serves({"if": [True, result]}, variants=variants) == variant
    assert serves({"var": "said"}, Context("k", {"said": result}), variants=variants) == variant


def test_a_rule_that_gives_nothing_leaves_the_default() -> None:
    found = ask(a_flag({"if": [False, "on"]}))
    assert (found.variant, found.reason, found.rule) == ("off", Reason.DEFAULT, None)


@pytest.mark.parametrize("targeting", [{"var": "said"}, {"if": [True, "maybe"]}, {"if": [{"var": "said"}, "maybe"]}])
def test_a_rule_that_names_no_variant_of_the_flag_is_an_error(targeting: Any) -> None:
    found = ask(a_flag(targeting), Context("k", {"said": "maybe"}))
    assert (found.value, found.reason, found.error_code) == (CALLERS_DEFAULT, Reason.ERROR, ErrorCode.GENERAL)


def test_a_variant_without_a_value_is_an_error_of_the_rule_that_names_it() -> None:
    variants = {"on": True, "off": False, "empty": None}
    assert ask(a_flag({"if": [True, "empty"]}, variants=variants)).error_code is ErrorCode.GENERAL
    assert ask(a_flag(variants=variants, defaultVariant="empty")).value is None


def test_an_unknown_operator_is_an_error_only_where_it_is_reached() -> None:
    flag = a_flag({"if": [{"var": "beta"}, {"contains": [1, 2]}, "off"]})
    found = ask(flag, Context("k", {"beta": True}))
    assert found.error_code is ErrorCode.PARSE_ERROR
    assert "contains" in (found.error_message or "")
    assert ask(flag).variant == "off"


@pytest.mark.parametrize(
    "rule", [{"/": [1, 0]}, {"%": [{"var": "age"}, 0]}, {"+": [1, {"var": "odd"}]}, {"var": [1, 2, 3]}]
)
def test_an_operator_that_cannot_use_what_it_gets_is_an_error(rule: Any) -> None:
    found = ask(a_flag({"if": [rule, "on", "off"]}), Context("k", {"age": 1, "odd": (1, 2)}))
    assert (found.value, found.error_code) == (CALLERS_DEFAULT, ErrorCode.GENERAL)


def test_the_targeting_key_is_the_contexts_own_and_covers_an_attribute_of_that_name() -> None:
    context = Context("alice", {"targetingKey": "mallory", "$flagd": "x"})
    assert holds({"===": [{"var": "targetingKey"}, "alice"]}, context)
    assert holds({"===": [{"var": "$flagd.flagKey"}, "checkout"]}, context)
    assert holds({"===": [{"var": {"cat": ["targeting", "Key"]}}, "alice"]}, context)
    assert holds({"in": [{"var": "targetingKey"}, ["alice"]]}, context)


def test_the_time_is_in_whole_seconds() -> None:
    assert holds({"===": [{"var": "$flagd.timestamp"}, 1_700_000_000]})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("list.1", "y"),
        ("list.length", 2),
        ("text.length", 3),
        ("text.0", "a"),
        ("a.x", None),
        ("list.01", None),
    ],
)
def test_a_path_leads_into_objects_lists_and_texts(path: str, value: Any) -> None:
    context = Context("k", {"a": {"b": 1}, "list": ["x", "y"], "text": "abc"})
    assert holds({"===": [{"var": path}, value]}, context)
    assert holds({"===": [{"var": [path, "else"]}, "else" if value is None else value]}, context)


def test_two_readings_of_all_data_are_the_same_object() -> None:
    assert holds({"==": [{"var": ""}, {"var": ""}]}, ALICE)
    assert not holds({"==": [[1], [1]]}, ALICE)


@pytest.mark.parametrize(
    ("needle", "found"), [(1, True), (True, True), (1.0, True), ("1", False), ([1], False), (None, False)]
)
def test_a_list_has_what_equals_one_of_its_items(needle: Any, found: bool) -> None:  # noqa: FBT001
    assert holds({"in": [{"var": "needle"}, [1, "a"]]}, Context("k", {"needle": needle})) is found


@pytest.mark.parametrize(
    "condition",
    [
        {"sem_ver": [{"var": "version"}, ">=", "2.4"]},
        {"sem_ver": ["v2", "^", {"var": "version"}]},
        {"sem_ver": [{"var": "version"}, "~", "2.4.99"]},
        {"starts_with": [{"var": "email"}, "alice"]},
        {"ends_with": [{"var": "email"}, "@example.com"]},
        {"==": [{"var": "age"}, "33"]},
        {"<": [18, {"var": "age"}, 65]},
        {"some": [["free", "premium"], {"==": [{"var": ""}, "premium"]}]},
        {"===": [{"reduce": [[1, 2, 3], {"+": [{"var": "accumulator"}, {"var": "current"}]}, 0]}, 6]},
        {"and": [{"!": [{"var": "nothing"}]}, {"or": [0, {"var": "plan"}]}]},
        {"===": [{"log": "quiet"}, "quiet"]},
        {"===": [{"missing": ["email", "phone"]}, ["phone"]]},
        {"===": [{"missing_some": [1, ["email", "phone"]]}, []]},
    ],
)
def test_a_condition_that_holds_for_alice(condition: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert holds(condition, ALICE)
    assert capsys.readouterr().out == ""


def test_an_if_inside_of_an_expression_and_with_a_single_argument_work() -> None:
    assert serves({"if": [{"if": [{"var": "plan"}, {"if": "on"}]}]}, ALICE) == "on"
    assert serves({"?:": []}, ALICE) == "off"
    assert (
        serves({"cat": [{"if": [{"==": [{"var": "plan"}, "x"]}, "o"]}, "n"]}, ALICE, variants={"nulln": 1}) == "nulln"
    )


def test_answers_of_a_set_work_on_openfeatures_own_context() -> None:
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415

    flag = a_flag({"if": [{"in": [{"var": "targetingKey"}, ["alice"]]}, "on"]}, variants=ON_OFF)
    theirs: Any = EvaluationContext("alice", {"a": 1})
    assert ask(flag, theirs).variant == "on"
