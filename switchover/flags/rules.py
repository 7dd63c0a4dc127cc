"""Rules for people, which become flagd's targeting and can be read back.

    any_of(for_users("ann", "bob"), percentage(25))
    all_of(for_groups("beta-testers"), percentage(25))
    internal_team("example.com").serve("B").otherwise(variants({"A": 50, "B": 50}))

`build_targeting` makes the JSON of them, `read_rule` makes a rule of the JSON, `describe_rule` says it in words.
Raising a percentage keeps everybody who had the feature, since its range of buckets always begins at 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

from switchover.errors import InputError
from switchover.flags.context import TARGETING_KEY
from switchover.flags.definition_mistakes import one_of, show, show_near
from switchover.flags.definition_targeting import FLAGD_VARIABLES, SEM_VER
from switchover.flags.rule_json import OPERATORS, build_targeting, read_rule
from switchover.flags.rule_text import describe_audience, describe_rule
from switchover.flags.rule_values import (
    WHOLE,
    AllOf,
    AnyOf,
    Audience,
    Constant,
    GradualRollout,
    Groups,
    Percentage,
    Rule,
    Split,
    When,
)

__all__ = [
    "Audience",
    "GradualRollout",
    "Rule",
    "Split",
    "all_of",
    "any_of",
    "build_targeting",
    "describe_audience",
    "describe_rule",
    "for_groups",
    "for_users",
    "gradual_rollout",
    "internal_team",
    "percentage",
    "read_rule",
    "variants",
    "when",
]

Part: TypeAlias = Audience | GradualRollout


def percentage(percent: float) -> Percentage:
    """That share of the targeting keys, from 0 to 100 in steps of 0.01, chosen by the flag's key and theirs."""
    return Percentage(weight_of(percent))


def gradual_rollout(steps: Sequence[float], at: int = 0) -> GradualRollout:
    """Rising percentages, of which the one at index `at` holds now."""
    weights = [weight_of(step) for step in steps]
    if not weights or any(after <= before for before, after in pairwise(weights)):
        raise _refused("the steps of a rollout", "percentages, each higher than the one before", show(list(steps)))
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(weights):
        raise _refused("the step of a rollout", f"an index from 0 to {len(weights) - 1}", show(at))
    return GradualRollout(tuple(steps), at)


def variants(percents: Mapping[str, float]) -> Split:
    """Several variants by percentages that add up to 100, like `{"A": 50, "B": 50}`."""
    if not isinstance(percents, Mapping):
        raise _refused("the split", 'percentages by variant, like {"A": 50, "B": 50}', show(percents))
    shares = tuple((_name(variant, "a variant"), weight_of(percent)) for variant, percent in percents.items())
    if sum(weight for _, weight in shares) != WHOLE:
        raise _refused("the split", "percentages that add up to 100", _shares(percents))
    return Split(shares)


def for_users(*targeting_keys: str) -> When:
    """These users, by their targeting keys."""
    return When(TARGETING_KEY, "in", _names(targeting_keys, "a user"))


def for_groups(*names: str) -> Groups:
    """Whoever is in one of these groups: the attribute `groups` is the list of one's groups."""
    return Groups(_names(names, "a group"))


def internal_team(*domains: str) -> Audience:
    """The own people: whose attribute `email` ends with @ and one of the domains.

    Without a domain: whose attribute `internal` is true, for applications that know who is a colleague.
    """
    if not domains:
        return When("internal", "==", value=True)
    ends = [f"@{name.removeprefix('@')}" for name in _names(domains, "a domain")]
    return any_of(*(When("email", "ends_with", end) for end in ends))


def when(attribute: str, op: str, value: Constant | Iterable[Constant]) -> When:
    """Compare an attribute (`plan`, `address.country`) with a value.

    `op` is `==` and `!=` (of the same type), `<`, `<=`, `>`, `>=` (a number or a text), `in` and `not in` (a list of
    values), `contains` (a value in an attribute that is a list, or a text in a text), `starts_with`, `ends_with`, or
    `sem_ver` with one of flagd's operators, like `sem_ver >=`. Without such an attribute only `!=` and
    `not in` match.
    """
    _name(attribute, "an attribute")
    if attribute.startswith("$flagd.") and attribute not in FLAGD_VARIABLES:
        raise _refused("the attribute", one_of(FLAGD_VARIABLES), show_near(attribute, FLAGD_VARIABLES))
    if op not in OPERATORS:
        raise _refused("the comparison", one_of(OPERATORS), show_near(str(op), OPERATORS))
    return When(attribute, op, _value(op, value))


def any_of(*parts: Part) -> Audience:
    """Whoever is in at least one of the parts. Of several percentages the highest holds: lower ones lie within it."""
    flat, weights = _parts(parts, AnyOf)
    whole = [*flat, *([Percentage(max(weights))] if weights else [])]
    return whole[0] if len(whole) == 1 else AnyOf(tuple(whole))


def all_of(*parts: Part) -> Audience:
    """Whoever is in all of the parts. `all_of(for_groups("beta"), percentage(25))` is a quarter of the group."""
    flat, weights = _parts(parts, AllOf)
    whole = [*flat, *([Percentage(min(weights))] if weights else [])]
    return whole[0] if len(whole) == 1 else AllOf(tuple(whole))


def weight_of(percent: float) -> int:
    """A percentage in hundredths of a percent; `InputError` for what is none."""
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not math.isfinite(percent):
        raise _refused("the percentage", "a number from 0 to 100", show(percent))
    weight = Decimal(str(percent)) * 100
    if not 0 <= weight <= WHOLE or weight != int(weight):
        raise _refused("the percentage", "a number from 0 to 100 in steps of 0.01", show(percent))
    return int(weight)


def _parts(parts: Iterable[Part], kind: type[AnyOf | AllOf]) -> tuple[list[Audience], list[int]]:
    """The parts without percentages of their own, and the weights of these: a percentage is asked last."""
    audiences = [part.audience if isinstance(part, GradualRollout) else part for part in parts]
    for part in audiences:
        if not isinstance(part, Audience):
            raise _refused("a part of the rule", "an audience such as percentage(25)", show(part))
    if not audiences:
        raise _refused("the rule", "at least one audience", "none")
    flat = [each for part in audiences for each in (part.parts if isinstance(part, kind) else (part,))]
    weights = [part.weight for part in flat if isinstance(part, Percentage)]
    others = [part for part in flat if not isinstance(part, Percentage)]
    return sorted(others, key=_has_percentage), weights


def _has_percentage(audience: Audience) -> bool:
    if isinstance(audience, AnyOf | AllOf):
        return any(map(_has_percentage, audience.parts))
    return isinstance(audience, Percentage)


def _value(op: str, value: object) -> Constant | tuple[Constant, ...]:
    if op in {"in", "not in"}:
        values = list(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else []
        if not values or not all(_is_constant(each) for each in values):
            raise _refused("the values", "a list of texts, numbers or booleans", show(value))
        return tuple(values)
    if op.startswith("sem_ver"):
        if not isinstance(value, str) or not SEM_VER.fullmatch(value):
            raise _refused("the version", "a version like 1.2.3", show(value))
        return value
    if not isinstance(value, bool | int | float | str) or not _is_constant(value):
        raise _refused("the value", "a text, a number or a boolean", show(value))
    if op in {"starts_with", "ends_with"} and not isinstance(value, str):
        raise _refused("the value", "a text", show(value))
    return value


def _is_constant(value: object) -> bool:
    return isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _names(names: Iterable[object], what: str) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(_name(name, what) for name in names))
    if not unique:
        raise _refused("the rule", f"at least the name of {what}", "none")
    return unique


def _name(name: object, what: str) -> str:
    if not isinstance(name, str) or not name:
        raise _refused(f"the name of {what}", "a text that is not empty", show(name))
    return name


def _shares(percents: Mapping[str, float]) -> str:
    return ", ".join(f"{variant} {percent:g}" for variant, percent in percents.items()) or "nothing"


def _refused(what: str, expected: str, found: str) -> InputError:
    return InputError(f"{what} cannot be used", expected=expected, found=found, next_step="correct it and call again")
