"""A rule in plain words."""

from __future__ import annotations

import json
from typing import Final

from switchover.flags.context import TARGETING_KEY
from switchover.flags.rule_values import AllOf, AnyOf, Audience, Groups, Outcome, Percentage, Rule, Split, When

_TOLD: Final = 10
_WORDS: Final = {
    "==": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "in": "is one of",
    "not in": "is none of",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
}


def describe_rule(rule: Rule) -> str:
    """The rule on one line, like `users ann, bob: on; everybody else: 25 % on, 75 % off`."""
    parts = [f"{describe_audience(branch.audience)}: {_outcome(branch.outcome)}" for branch in rule.branches]
    rest = "everybody else" if parts else "everybody"
    return "; ".join([*parts, f"{rest}: {_outcome(rule.last)}"])


def describe_audience(audience: Audience, *, inside: bool = False) -> str:
    """Whom an audience holds; `inside`: as a part of another one."""
    match audience:
        case When(attribute, "in", tuple() as users) if attribute == TARGETING_KEY:
            return f"users {_list([str(user) for user in users], ', ')}"
        case When(attribute, op, value):
            return f"those whose {attribute} {_WORDS.get(op, f'is version {op[8:]}')} {_value(value)}"
        case Groups(names):
            return f"members of {_list(list(names), ' or ')}"
        case Percentage():
            return f"{audience.percent:g} % of everybody"
        case AnyOf(parts) | AllOf(parts):
            told = (" or " if isinstance(audience, AnyOf) else " and ").join(
                describe_audience(part, inside=True) for part in parts
            )
            return f"({told})" if inside else told
    raise TypeError(audience)


def _outcome(outcome: Outcome | None) -> str:
    if isinstance(outcome, Split):
        return ", ".join(f"{percent:g} % {variant}" for variant, percent in outcome.percents.items())
    return "the default variant" if outcome is None else outcome


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return _list([json.dumps(each, ensure_ascii=False) for each in value], ", ")
    return json.dumps(value, ensure_ascii=False)


def _list(names: list[str], between: str) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return between.join(names[:_TOLD]) + more
