"""Rules, flags and people for the properties, and flagd's own evaluator to ask."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
import mmh3
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from switchover.flags import rules
from switchover.flags.rule_values import (
    WHOLE,
    AllOf,
    AnyOf,
    Audience,
    Groups,
    Outcome,
    Percentage,
    Rule,
    Split,
    When,
)

KEY = "checkout"
VARIANTS: dict[str, Any] = {"on": True, "off": False}


@dataclass(frozen=True)
class Person:
    key: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def serve(flag: Mapping[str, Any], person: Person, *, evaluators: Mapping[str, Any] | None = None) -> str | None:
    """The variant that flagd's evaluator serves; None: the caller's default."""
    core = FlagdCore()
    core.set_flags(json.dumps({"flags": {KEY: flag}, "$evaluators": evaluators or {}}))
    context = EvaluationContext(person.key, dict(person.attributes))
    return core.resolve_boolean_value(KEY, default_value=False, ctx=context).variant


def flag_with(targeting: object, variants: Mapping[str, Any] = VARIANTS, default: str | None = "off") -> dict[str, Any]:
    flag: dict[str, Any] = {"state": "ENABLED", "variants": dict(variants), "defaultVariant": default}
    return flag if targeting is None else {**flag, "targeting": targeting}


def bucket(person: Person, total: int) -> int:
    return (mmh3.hash(cbor2.dumps([KEY, person.key], canonical=True), signed=False) * total) >> 32


def holds(audience: Audience, person: Person) -> bool:
    """Whether the audience holds the person, told from what the words say."""
    match audience:
        case AnyOf(parts):
            return any(holds(part, person) for part in parts)
        case AllOf(parts):
            return all(holds(part, person) for part in parts)
        case Percentage(weight):
            return weight == WHOLE or (bool(person.key) and bucket(person, WHOLE) < weight)
        case Groups(names):
            return bool(set(names) & set(person.attributes.get("groups", ())))
        case When(attribute, op, value):
            given = person.key if attribute == "targetingKey" else person.attributes.get(attribute)
            return COMPARISONS[op](given, value)
    raise TypeError(audience)


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda given, values: given in values,
    "not in": lambda given, values: given not in values,
    "contains": lambda given, value: given is not None and value in given,
    "starts_with": lambda given, value: given is not None and given.startswith(value),
    "ends_with": lambda given, value: given is not None and given.endswith(value),
    "<": lambda given, value: given is not None and given < value,
    "<=": lambda given, value: given is not None and given <= value,
    ">": lambda given, value: given is not None and given > value,
    ">=": lambda given, value: given is not None and given >= value,
    "sem_ver >=": lambda given, value: given is not None and _numbers(given) >= _numbers(value),
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def expect(rule: Rule, person: Person, default: str) -> str:
    """The variant that the rule promises the person."""
    promised = next((branch.outcome for branch in rule.branches if holds(branch.audience, person)), rule.last)
    return _drawn(promised, person) or default


def _drawn(outcome: Outcome | None, person: Person) -> str | None:
    if not isinstance(outcome, Split):
        return outcome
    whole = sum(weight for _, weight in outcome.shares)
    for variant, weight in outcome.shares:
        if weight == whole:
            return variant
    if not person.key:
        return None
    drawn, end = bucket(person, whole), 0
    for variant, weight in outcome.shares:
        end += weight
        if drawn < end:
            return variant
    return None


GROUPS = ("beta-testers", "premium", "staff")
USERS = ("ann", "bob", "cem")
percents = st.integers(0, 10_000).map(lambda weight: weight / 100)

people = st.builds(
    Person,
    st.one_of(st.none(), st.sampled_from(USERS), st.uuids().map(str)),
    st.fixed_dictionaries(
        {},
        optional={
            "groups": st.lists(st.sampled_from(GROUPS), max_size=2),
            "email": st.sampled_from(["ann@example.com", "bob@shop.test", "x@evilexample.com"]),
            "internal": st.booleans(),
            "plan": st.sampled_from(["free", "paid"]),
            "age": st.integers(-3, 100),
            "version": st.sampled_from(["1.2.3", "2.0.0", "10.1.0"]),
        },
    ),
)

comparisons = st.one_of(
    st.builds(rules.when, st.just("plan"), st.sampled_from(["==", "!="]), st.sampled_from(["free", "paid"])),
    st.builds(rules.when, st.just("plan"), st.sampled_from(["in", "not in"]), st.just(["paid", "gold"])),
    st.builds(rules.when, st.just("age"), st.sampled_from(["<", "<=", ">", ">="]), st.integers(-3, 100)),
    st.builds(rules.when, st.just("version"), st.just("sem_ver >="), st.just("2.0.0")),
    st.builds(rules.when, st.just("email"), st.just("starts_with"), st.sampled_from(["a", "bob"])),
    st.builds(rules.when, st.just("groups"), st.just("contains"), st.sampled_from(GROUPS)),
)

leaves: st.SearchStrategy[Any] = st.one_of(
    comparisons,
    st.lists(st.sampled_from(USERS), min_size=1, max_size=3).map(lambda names: rules.for_users(*names)),
    st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2).map(lambda names: rules.for_groups(*names)),
    st.sampled_from(
        [rules.internal_team(), rules.internal_team("example.com"), rules.internal_team("a.b", "shop.test")]
    ),
    percents.map(rules.percentage),
    st.just(rules.gradual_rollout([10, 25, 50, 100], at=1)),
)


def _joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(parts.map(lambda each: rules.any_of(*each)), parts.map(lambda each: rules.all_of(*each)))


audiences: st.SearchStrategy[Any] = st.recursive(leaves, _joined, max_leaves=6)
splits = percents.map(lambda percent: rules.variants({"on": percent, "off": round(100 - percent, 2)}))
endings = st.one_of(st.sampled_from(["on", "off"]), splits, audiences)
built: st.SearchStrategy[Any] = st.one_of(
    audiences,
    splits,
    st.builds(lambda audience, ending: audience.otherwise(ending), audiences, endings),
    st.builds(
        lambda first, second, ending: rules.any_of(first).serve("off").otherwise(second).otherwise(ending),
        audiences,
        audiences,
        endings,
    ),
)
targetings = built.map(rules.build_targeting)

written_by_hand = st.sampled_from(
    [
        None,
        {},
        {"if": ["off"]},
        {"if": [{"in": ["@example.com", {"var": "email"}]}, "on"]},
        {"if": [{"!": {"var": "plan"}}, "off", {"fractional": [["off", 70], ["on", 30]]}]},
        {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["on"], ["off", 3]]},
        {"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on", {"if": [{"var": "internal"}, "on", None]}]},
    ]
)

flags = st.builds(
    lambda targeting, state, default, metadata: {
        "variants": VARIANTS,
        "state": state,
        **default,
        **({} if targeting is None else {"targeting": targeting}),
        **({"metadata": metadata} if metadata else {}),
    },
    st.one_of(targetings, written_by_hand),
    st.sampled_from(["ENABLED", "DISABLED"]),
    st.sampled_from([{"defaultVariant": "on"}, {"defaultVariant": "off"}, {"defaultVariant": None}, {}]),
    st.dictionaries(st.sampled_from(["team", "switchover.owner"]), st.just("shop"), max_size=2),
)
