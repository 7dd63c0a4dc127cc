"""What asking a flag gives: the value, and why it is that one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

FlagValue: TypeAlias = "bool | int | float | str | Mapping[str, FlagValue] | list[FlagValue] | None"
Metadata: TypeAlias = Mapping[str, bool | int | float | str]

NO_METADATA: Final[Metadata] = MappingProxyType({})


class Reason(StrEnum):
    """Why the value is what it is: OpenFeature's words, and two for what flagd does not have."""

    STATIC = "STATIC"
    """The flag has no rule: everybody gets this."""
    DEFAULT = "DEFAULT"
    """No rule spoke: the flag's default variant, or the caller's default where the flag has none."""
    TARGETING_MATCH = "TARGETING_MATCH"
    DISABLED = "DISABLED"
    """The caller's default."""
    ERROR = "ERROR"
    """The caller's default; `error_code` and `error_message` say what is wrong."""
    PREREQUISITE_FAILED = "PREREQUISITE_FAILED"
    """Another flag that this one asks for does not serve the wanted variant."""
    SPLIT = "SPLIT"
    """By the bucket of the context alone: a percentage of the caller's, or of a remote provider."""


class ErrorCode(StrEnum):
    """OpenFeature's error codes."""

    PROVIDER_NOT_READY = "PROVIDER_NOT_READY"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    GENERAL = "GENERAL"


class _CallersDefault:
    """The one value that stands for the default of whoever asks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "CALLERS_DEFAULT"


CALLERS_DEFAULT: Final = _CallersDefault()


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """One possible answer of one flag. Made when the flag is compiled and handed out again and again.

    `value` is `CALLERS_DEFAULT` where the caller's default stands. `rule` is the branch of the targeting that
    answered, counted from 0 in the order of the document; None where there is none. `count` is called once for
    each answer that was given (an atomic step of `itertools.count`); `switchover.flags.exposures` reads it.
    `experiment` is True where the flag's metadata ask for exposures per context.
    """

    flag: str
    value: object
    variant: str | None
    reason: Reason
    rule: int | None = None
    error_code: ErrorCode | None = None
    error_message: str | None = None
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)
    experiment: bool = False
    count: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__, repr=False)


@dataclass(frozen=True, slots=True)
class Detail:
    """An answer as the caller gets it: `value` is always of the type that was asked for."""

    flag: str
    value: object
    variant: str | None
    reason: Reason
    rule: int | None = None
    error_code: ErrorCode | None = None
    error_message: str | None = None
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)
