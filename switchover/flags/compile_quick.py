"""What most rules are made of, in as few calls as possible: a value that is in a list, or equal to a text."""

from __future__ import annotations

from collections.abc import Sequence

from switchover.flags.context import Context
from switchover.flags.expression import SCALARS, Expression, Run
from switchover.flags.operators import contains, equals


def choose_quick(name: object, arguments: Sequence[Expression]) -> Run | None:
    """The quick form of an operator, where it has one for these arguments."""
    if len(arguments) != 2 or not arguments[1].is_constant:  # noqa: PLR2004 - a value and a constant
        return None
    subject, known = arguments[0], arguments[1].value
    if name == "in" and isinstance(known, list) and all(type(item) in SCALARS for item in known):
        return _test_membership(subject, known)
    if name == "==" and type(known) is str:
        return _test_equality(subject, known)
    return None


def _test_membership(subject: Expression, members: list[object]) -> Run:
    """A set finds what a list finds, 1 for 1.0 and true; what a set cannot look for is compared with each."""
    run, known, name = subject.run, frozenset(members), subject.attribute

    def has_key(context: Context) -> bool:
        try:
            return context.targeting_key in known
        except TypeError:
            return contains(context.targeting_key, members)

    def has_attribute(context: Context) -> bool:
        value = context.attributes.get(name)  # type: ignore[arg-type]  # chosen where there is a name
        try:
            return value in known
        except TypeError:
            return contains(value, members)

    def has_value(scope: object) -> bool:
        value = run(scope)
        try:
            return value in known
        except TypeError:
            return contains(value, members)

    if subject.reads_key:
        return has_key
    return has_value if name is None else has_attribute


def _test_equality(subject: Expression, text: str) -> Run:
    run, name = subject.run, subject.attribute

    def attribute_is(context: Context) -> bool:
        value = context.attributes.get(name)  # type: ignore[arg-type]  # chosen where there is a name
        return bool(value == text) if value.__class__ is str else equals(value, text)

    def value_is(scope: object) -> bool:
        value = run(scope)
        return bool(value == text) if value.__class__ is str else equals(value, text)

    return value_is if name is None else attribute_is
