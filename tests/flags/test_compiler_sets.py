"""A whole set: broken flags beside sound ones, evaluators, prerequisites, what is taken over from before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchover.flags.compiler import compile_set
from switchover.flags.context import NOBODY, Context
from switchover.flags.flag_set import FlagSet
from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Reason, Resolution
from switchover.flags.snapshot import Snapshot
from tests.flags.compiler_cases import a_flag, a_set

BETA = Context("k", {"beta": True})


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


BROKEN: list[Any] = [
    None,
    7,
    "on",
    [],
    {},
    {"state": "ENABLED"},
    a_flag(state="enabled"),
    a_flag(state=["ENABLED"]),
    a_flag(variants={}),
    a_flag(variants=["on"]),
    a_flag(defaultVariant=["on"]),
    a_flag(defaultVariant=1),
    a_flag(metadata={"x": None}),
    a_flag(metadata={"": 1}),
    a_flag(metadata=[1]),
    a_flag(targeting="x"),
    a_flag(targeting=[1]),
    a_flag(variants={"on": nested(600), "off": 1}),
    a_flag(variants={"on": nested(99), "off": 1}),
    a_flag(variants={"on": "\ud800", "off": 1}),
    a_flag(variants={"on": float("inf"), "off": 1}),
    a_flag(metadata={"x": "\ud800"}),
    {**a_flag(), "surprise": 1},
    {**a_flag(), "metadata": {"switchover.prerequisites": "[1]"}},
    {**a_flag(), "metadata": {"switchover.prerequisites": 7}},
]


def wants(wanted: dict[str, str], targeting: Any = None, **metadata: Any) -> dict[str, Any]:
    return a_flag(targeting, metadata={"switchover.prerequisites": json.dumps(wanted), **metadata})


def served(flag_set: FlagSet, key: str, context: Context = NOBODY) -> Resolution:
    return flag_set.answers[key](context)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda flag: json.dumps(flag)[:60])
def test_a_broken_flag_answers_an_error_and_the_others_work(broken: Any) -> None:
    flag_set = a_set({"broken": broken, "sound": a_flag(defaultVariant="on")})
    found = served(flag_set, "broken")
    assert (found.value, found.reason, found.error_code) == (CALLERS_DEFAULT, Reason.ERROR, ErrorCode.PARSE_ERROR)
    assert served(flag_set, "sound").value is True


def test_a_default_that_is_no_variant_is_an_error_only_where_it_would_be_served() -> None:
    flag_set = a_set({"flag": a_flag({"if": [{"var": "beta"}, "on"]}, defaultVariant="gone")})
    assert served(flag_set, "flag").error_code is ErrorCode.GENERAL
    assert served(flag_set, "flag", BETA).value is True


def _nested(levels: int) -> Any:
    rule: Any = True
    for _ in range(levels):
        rule = {"!": [{"!": [rule]}]}
    return rule


def test_a_rule_that_is_nested_too_deeply_is_an_error_and_no_exception() -> None:
    values: Any = {"a": 1}
    for _ in range(100_000):
        values = [values]
    deep = {"if": [{"and": [{"var": "a"}, _nested(20_000)]}, "on", "off"]}
    flags = {"deep": a_flag(deep), "value": a_flag({"if": [True, "on", values]}), "sound": a_flag(defaultVariant="on")}
    flag_set = a_set(flags, evaluators={"x": {"$ref": "deep"}})
    assert served(flag_set, "deep").error_code is ErrorCode.GENERAL
    assert served(flag_set, "sound").value is True
    assert served(a_set(flags, flag_set), "sound").value is True


def test_an_evaluator_stands_for_its_rule_wherever_it_is_named() -> None:
    evaluators = {
        "in_beta": {"and": [{"$ref": "has_beta"}, {"!": [{"$ref": "banned"}]}]},
        "has_beta": {"var": "beta"},
        "banned": {"in": [{"var": "targetingKey"}, ["mallory"]]},
    }
    # An evaluator may use one that stands before it, too: the members of an object have no order.
    for order in (list(evaluators), sorted(evaluators)):
        flags = {"flag": a_flag({"if": [{"$ref": "in_beta"}, "on", "off"]})}
        flag_set = a_set(flags, evaluators={name: evaluators[name] for name in order})
        assert served(flag_set, "flag", BETA).value is True
        assert served(flag_set, "flag", Context("mallory", {"beta": True})).value is False


def test_an_evaluator_may_hold_any_text() -> None:
    evaluators = {"é \\": {"==": [{"var": "name"}, 'back\\slash "é" \\g<0> \n']}}
    flag_set = a_set({"flag": a_flag({"if": [{"$ref": "é \\"}, "on", "off"]})}, evaluators=evaluators)
    assert served(flag_set, "flag", Context("k", {"name": 'back\\slash "é" \\g<0> \n'})).value is True


@pytest.mark.parametrize(
    "evaluators", [{}, {"other": True}, {"me": {"$ref": "me"}}, {"me": {"$ref": "you"}, "you": {"$ref": "me"}}]
)
def test_an_evaluator_that_is_unknown_or_leads_to_itself_is_an_error_where_it_is_reached(evaluators: Any) -> None:
    flag_set = a_set({"flag": a_flag({"if": [{"var": "beta"}, {"$ref": "me"}, "off"]})}, evaluators=evaluators)
    assert served(flag_set, "flag", BETA).error_code is ErrorCode.PARSE_ERROR
    assert served(flag_set, "flag").value is False


def test_evaluators_that_multiply_are_an_error_and_do_not_fill_the_memory() -> None:
    evaluators: dict[str, Any] = {f"e{level}": {"and": [{"$ref": f"e{level + 1}"}] * 10} for level in range(40)}
    flag_set = a_set({"flag": a_flag({"if": [{"$ref": "e0"}, "on"]}), "sound": a_flag()}, evaluators=evaluators)
    assert served(flag_set, "flag").error_code is ErrorCode.PARSE_ERROR
    assert served(flag_set, "sound").value is False


def test_prerequisites_that_are_served_let_the_flag_answer() -> None:
    flags = {
        "last": wants({"middle": "on"}, {"if": [True, "on"]}),
        "middle": wants({"first": "on"}, {"if": [True, "on"]}),
        "first": a_flag({"if": [{"var": "beta"}, "on"]}),
    }
    flag_set = a_set(flags)
    assert served(flag_set, "last", BETA).reason is Reason.TARGETING_MATCH
    found = served(flag_set, "last")
    assert (found.value, found.variant, found.reason, found.error_code) == (
        False,
        "off",
        Reason.PREREQUISITE_FAILED,
        None,
    )


@pytest.mark.parametrize(
    ("variants", "stated", "default", "variant"),
    [
        ({"on": True, "off": False}, None, "on", "off"),
        ({"a": 1, "b": 2}, "b", "a", "b"),
        ({"a": 1, "b": 2}, None, "a", "a"),
        ({"on": True, "no": False, "never": False}, None, "on", "on"),
        ({"a": 1, "b": 2}, None, None, None),
    ],
)
def test_a_failed_prerequisite_serves_the_off_variant_or_the_default(
    variants: dict[str, Any], stated: str | None, default: str | None, variant: str | None
) -> None:
    flag = wants({"other": "on"}, {"if": [True, "on"]}, **({"switchover.off": stated} if stated else {}))
    flag |= {"variants": variants, "defaultVariant": default}
    found = served(a_set({"flag": flag, "other": a_flag()}), "flag")
    assert (found.variant, found.reason) == (variant, Reason.PREREQUISITE_FAILED)
    assert found.value == (CALLERS_DEFAULT if variant is None else variants[variant])


def test_a_disabled_or_broken_flag_serves_nobodys_wanted_variant() -> None:
    flags = {"flag": wants({"other": "on"}), "other": a_flag(state="DISABLED", defaultVariant="on")}
    assert served(a_set(flags), "flag").reason is Reason.PREREQUISITE_FAILED
    assert served(a_set({**flags, "other": 7}), "flag").reason is Reason.PREREQUISITE_FAILED


def test_a_circle_of_prerequisites_and_an_unknown_one_are_errors_of_those_flags_alone() -> None:
    flags = {
        "a": wants({"b": "on"}),
        "b": wants({"c": "on"}),
        "c": wants({"a": "on", "sound": "off"}),
        "self": wants({"self": "on"}),
        "user of a circle": wants({"a": "on"}),
        "user of nothing": wants({"nothing": "on"}),
        "sound": a_flag(),
    }
    flag_set = a_set(flags)
    found = {key: served(flag_set, key) for key in flags}
    broken = {key for key, resolution in found.items() if resolution.error_code is ErrorCode.PARSE_ERROR}
    assert broken == {"a", "b", "c", "self", "user of nothing"}
    assert found["user of a circle"].reason is Reason.PREREQUISITE_FAILED
    assert found["sound"].reason is Reason.STATIC


def test_a_disabled_flag_whose_prerequisite_is_missing_stays_while_others_change() -> None:
    disabled = {**wants({"nothing": "on"}), "state": "DISABLED"}
    first = a_set({"disabled": disabled, "other": a_flag()})
    then = a_set({"disabled": disabled, "other": a_flag(state="DISABLED")}, before=first)
    assert then.compiled["disabled"] is first.compiled["disabled"]


def test_a_killed_or_disabled_flag_does_not_look_at_its_prerequisites() -> None:
    killed = wants({"killed": "on"}, {"if": [True, "off", "on"]}, **{"switchover.kill": "off"})
    disabled = {**wants({"nothing": "on"}), "state": "DISABLED"}
    flag_set = a_set({"killed": killed, "disabled": disabled})
    assert (served(flag_set, "killed").variant, served(flag_set, "killed").reason) == ("off", Reason.TARGETING_MATCH)
    assert served(flag_set, "disabled").reason is Reason.DISABLED


def test_a_chain_of_prerequisites_that_is_too_long_is_an_error_where_it_is_too_long() -> None:
    flags = {f"f{index}": wants({f"f{index + 1}": "off"}) for index in range(5000)} | {"f5000": a_flag()}
    flag_set = a_set(flags)
    assert served(flag_set, "f4951").reason is Reason.STATIC
    assert served(flag_set, "f4950").error_code is ErrorCode.PARSE_ERROR
    assert a_set(flags, flag_set).compiled == flag_set.compiled


def test_prerequisites_that_multiply_are_an_error_and_not_a_billion_evaluations() -> None:
    flags: dict[str, Any] = {"a40": a_flag(), "b40": a_flag()}
    for level in range(40):
        for name in "ab":
            flags[f"{name}{level}"] = wants({f"a{level + 1}": "off", f"b{level + 1}": "off"})
    found = [served(a_set(flags), f"a{level}") for level in range(40)]
    assert found[-1].reason is Reason.STATIC
    assert ErrorCode.PARSE_ERROR in {resolution.error_code for resolution in found}


def test_an_unchanged_flag_is_taken_over_with_what_it_has_counted() -> None:
    flags = {"same": a_flag({"if": [{"var": "beta"}, "on"]}), "other": a_flag()}
    first = a_set(flags)
    second = a_set(json.loads(json.dumps({**flags, "other": a_flag(defaultVariant="on"), "new": a_flag()})), first)
    assert second.compiled["same"] is first.compiled["same"]
    assert second.compiled["other"] is not first.compiled["other"]
    assert served(second, "other").value is True
    assert a_set(flags, second).compiled.keys() == flags.keys()


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0, False), (0.0, -0.0)])
def test_a_value_that_is_merely_equal_is_a_change(old: Any, new: Any) -> None:
    first = a_set({"flag": a_flag(variants={"off": old})})
    second = a_set({"flag": a_flag(variants={"off": new})}, first)
    assert repr(served(second, "flag").value) == repr(new)


def test_a_flag_follows_its_evaluators_also_those_that_they_use() -> None:
    evaluators: dict[str, Any] = {"outer": {"$ref": "inner"}, "inner": False, "unused": 1}
    flags = {
        "flag": a_flag({"if": [{"$ref": "outer"}, "on", "off"]}),
        "other": a_flag({"if": [{"$ref": "unused"}, "on"]}),
    }
    first = a_set(flags, evaluators=evaluators)
    second = a_set(flags, first, evaluators={**evaluators, "inner": True})
    assert (served(first, "flag").value, served(second, "flag").value) == (False, True)
    assert second.compiled["other"] is first.compiled["other"]
    third = a_set(flags, second, evaluators={"outer": {"$ref": "inner"}})
    assert served(third, "flag").error_code is ErrorCode.PARSE_ERROR


def test_a_flag_follows_its_prerequisites() -> None:
    flags = {"last": wants({"middle": "off"}), "middle": wants({"first": "off"}), "first": a_flag(), "alone": a_flag()}
    first = a_set(flags)
    second = a_set({**flags, "first": a_flag(defaultVariant="on")}, first)
    assert served(first, "last").reason is Reason.STATIC
    assert served(second, "middle").reason is Reason.PREREQUISITE_FAILED
    assert second.compiled["alone"] is first.compiled["alone"]
    third = a_set({**flags, "first": wants({"last": "off"})}, second)
    assert served(third, "last").error_code is ErrorCode.PARSE_ERROR
    assert a_set({**flags, "first": wants({"last": "off"})}, third).compiled["last"] is third.compiled["last"]
    fourth = a_set(flags, third)
    assert served(fourth, "last").reason is Reason.STATIC
    fifth = a_set({key: flag for key, flag in flags.items() if key != "first"}, fourth)
    assert served(fifth, "middle").error_code is ErrorCode.PARSE_ERROR


def test_new_metadata_of_the_set_reach_every_flag() -> None:
    first = a_set({"flag": a_flag()}, metadata={"version": 1})
    second = a_set({"flag": a_flag()}, first, metadata={"version": True})
    assert served(second, "flag").metadata == {"version": True}
    assert served(second, "flag").metadata["version"] is True


def test_an_empty_set_has_no_answers_and_parts_of_no_section_are_left_alone() -> None:
    assert compile_set(Snapshot()).answers == {}
    assert compile_set(Snapshot(1, "x", {"nothing": 1, "else/x": 2, "flags/a/b": a_flag()})).answers.keys() == {"a/b"}
