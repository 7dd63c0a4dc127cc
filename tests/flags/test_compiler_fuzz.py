"""Whatever stands in a set and whoever asks: compiling and answering never raise."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.flags.compiler import compile_set
from switchover.flags.context import Context
from switchover.flags.resolution import Reason, Resolution
from switchover.flags.snapshot import Snapshot, parts_of
from tests.differential.flag_rules import EAGER, LISTS, Rules
from tests.flags.compiler_cases import a_flag, a_set

OPERATORS = [*EAGER, *LISTS, "if", "?:", "and", "or", "reduce", "fractional", "var", "$ref", "unknown"]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["on", "a", "targetingKey"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(OPERATORS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=20,
)
flag_members = {
    "state": st.just("ENABLED") | json_values,
    "variants": st.just({"on": True, "off": False}) | json_values,
    "defaultVariant": st.sampled_from(["on", None]) | json_values,
    "targeting": json_values,
    "metadata": st.dictionaries(
        st.sampled_from(
            ["switchover.prerequisites", "switchover.off", "switchover.kill", "switchover.experiment", "x"]
        ),
        json_values,
    )
    | json_values,
}
flags = st.fixed_dictionaries({}, optional=flag_members) | json_values
parts = st.dictionaries(
    st.sampled_from(["flags/a", "flags/b", "$evaluators/a", "$evaluators/on", "metadata/x", "metadata/"])
    | st.text(max_size=9),
    flags,
    max_size=5,
)


class Stubborn:
    """An object that refuses everything."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


def _circular() -> dict[str, Any]:
    found: dict[str, Any] = {"list": [1, 2]}
    found |= {"a": found, "b": [found]}
    found["list"].append(found["list"])
    return found


ODD: list[Any] = [
    _circular(),
    {"a": math.nan, "b": [math.nan], "list": [math.inf, -math.inf]},
    {0: 2, None: 3, ("a", "b"): 4, True: 5, "a": {1: 1}},
    {"a": Stubborn(), "b": [Stubborn()], "c": {"a": Stubborn()}, "n": Stubborn(), "list": [Stubborn()]},
    {
        "a": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "b": dt.date(2026, 1, 1),
        "c": dt.datetime(2026, 1, 1),  # noqa: DTZ001 - what the rule meets
    },
    {"a": (1, 2), "b": {1, 2}, "c": b"bytes", "n": decimal.Decimal(1), "list": range(3)},
    {"a": 10**5000, "b": "\ud800", "c": object, "n": 1j, "list": [10**5000]},
    None,
    7,
    [("a", 1)],
]
TARGETING_KEYS: list[Any] = ["alice", None, "", 7, b"alice", ["alice"], {}, math.nan, Stubborn(), "\ud800", 10**5000]


@given(parts, parts, json_values)
def test_no_json_as_a_set_raises_alone_or_after_another(before: Any, after: Any, attribute: Any) -> None:
    first = compile_set(Snapshot(1, "x", before))
    second = compile_set(Snapshot(2, "x", after), before=first)
    for flag_set in (first, second):
        for answer in flag_set.answers.values():
            assert isinstance(answer(Context("a", {"a": attribute})), Resolution)


@pytest.mark.parametrize("attributes", ODD, ids=lambda attributes: str(type(attributes)))
def test_no_context_raises(attributes: Any) -> None:
    for seed in range(15):
        flag_set = compile_set(Snapshot(1, "x", parts_of(json.loads(Rules(seed).document(10)))))
        for answer in flag_set.answers.values():
            for key in TARGETING_KEYS:
                assert isinstance(answer(Context(key, attributes)), Resolution)


@pytest.mark.parametrize(
    "rule", [{"fractional": [["on", 1], ["off", 1]]}, {"if": [{"in": [{"var": "targetingKey"}, ["a"]]}, "on"]}]
)
@pytest.mark.parametrize("key", TARGETING_KEYS, ids=lambda key: str(type(key)))
def test_a_targeting_key_that_is_no_text_matches_nothing(rule: Any, key: Any) -> None:
    found = a_set({"flag": a_flag(rule)}).answers["flag"](Context(key))
    if not isinstance(key, str) or not key or key == "\ud800":
        assert found.reason in {Reason.DEFAULT, Reason.ERROR}
        assert found.error_code is None or isinstance(key, Stubborn)


def test_a_large_set_is_compiled() -> None:
    users = [f"user-{index}" for index in range(100_000)]
    flags = {f"flag-{index}": a_flag({"if": [{"in": [{"var": "targetingKey"}, users]}, "on"]}) for index in range(10)}
    answers = a_set(flags).answers
    assert [answers["flag-9"](Context(key)).variant for key in ("user-99999", "nobody")] == ["on", "off"]
