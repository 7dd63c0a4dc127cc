"""The value that a caller gets is of the type that was asked for, or it is the caller's default.

A boolean is never a number. A number is converted only where nothing is lost: 1 to 1.0, 10.0 to 10. An object or a
list is a fresh one each time, for the caller may change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from switchover.flags.resolution import CALLERS_DEFAULT, Detail, ErrorCode, Reason, Resolution

MISFIT: Final = object()

Fit: TypeAlias = Callable[[object], Any]
"""The value in the wanted type, or `MISFIT`."""

TREES: Final = frozenset({dict, list})


def fit_boolean(value: object) -> Any:
    """True or False, nothing that is merely as good as."""
    return value if value is True or value is False else MISFIT


def fit_integer(value: object) -> Any:
    """A whole number."""
    if value.__class__ is int:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else MISFIT


def fit_float(value: object) -> Any:
    """A number."""
    if value.__class__ is float:
        return value
    if not isinstance(value, int) or value.__class__ is bool:
        return MISFIT
    try:
        converted = float(value)
    except OverflowError:
        return MISFIT
    return converted if converted == value else MISFIT


def fit_text(value: object) -> Any:
    """A text."""
    return value if value.__class__ is str else MISFIT


def fit_object(value: object) -> Any:
    """A JSON object."""
    return own(value) if isinstance(value, Mapping) else MISFIT


def fit_list(value: object) -> Any:
    """A JSON list."""
    return own(value) if isinstance(value, list) else MISFIT


def fit_anything(value: object) -> Any:
    """Whatever it is."""
    return MISFIT if value is CALLERS_DEFAULT else own(value)


def fit_nothing(value: object) -> Any:  # noqa: ARG001 - a `Fit` like the others
    """For a default of a type that no flag has."""
    return MISFIT


def own(value: object) -> Any:
    """The value, a deep copy where it could be changed; `MISFIT` where the stack is too short for that.

    Our compiler lets nothing through that is so deep. Somebody else's SDK may, and an application may ask from deep.
    """
    try:
        return _own(value)
    except RecursionError:
        return MISFIT


def _own(value: object) -> Any:
    if isinstance(value, Mapping):
        return {name: _own(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_own(member) for member in value]
    return value


_FITS: Final[Mapping[type, Fit]] = {
    bool: fit_boolean,
    int: fit_integer,
    float: fit_float,
    str: fit_text,
    dict: fit_object,
    list: fit_list,
    type(None): fit_anything,
}
_WORDS: Final[Mapping[Fit, str]] = {
    fit_boolean: "a boolean",
    fit_integer: "a whole number",
    fit_float: "a number",
    fit_text: "a text",
    fit_object: "an object",
    fit_list: "a list",
    fit_anything: "anything",
    fit_nothing: "a type that flags have",
}


def fit_for(default: object) -> Fit:
    """What fits where `default` stands."""
    kind: type = default.__class__
    known = _FITS.get(kind)
    if known is not None:
        return known
    if isinstance(default, Mapping):
        return fit_object
    return next((fit for known, fit in _FITS.items() if isinstance(default, known)), fit_nothing)


def detail_of(resolution: Resolution, default: object, fit: Fit) -> Detail:
    """The resolution for a caller who wants what fits; TYPE_MISMATCH and the default where it does not."""
    value = resolution.value
    fitted = default if value is CALLERS_DEFAULT else fit(value)
    if fitted is not MISFIT:
        return Detail(
            resolution.flag,
            fitted,
            resolution.variant,
            resolution.reason,
            resolution.rule,
            resolution.error_code,
            resolution.error_message,
            resolution.metadata,
        )
    message = f"expected {_WORDS[fit]}, found {_word(value)}"
    return Detail(
        resolution.flag,
        default,
        None,
        Reason.ERROR,
        error_code=ErrorCode.TYPE_MISMATCH,
        error_message=message,
        metadata=resolution.metadata,
    )


def _word(value: object) -> str:
    unfit = "levels without end" if value.__class__ in TREES else type(value).__name__
    return next((word for fit, word in _WORDS.items() if fit(value) is not MISFIT), unfit)
