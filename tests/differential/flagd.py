"""What flagd's own evaluator for Python answers, and the same said of a `Resolution`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, OpenFeatureError

from switchover.flags.resolution import CALLERS_DEFAULT, Resolution

DEFAULTS: dict[str, Any] = {
    "boolean": True,
    "string": "fallback",
    "integer": -7,
    "float": -7.5,
    "object": {"fall": "back"},
}
_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "float": (int, float),
    "object": (dict, list),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a caller sees; `value` as Python writes it, so that 1, 1.0 and True differ."""

    value: str
    variant: str | None
    reason: str
    error: str | None
    metadata: str


def _fail(kind: str, error: str) -> Seen:
    return Seen(repr(DEFAULTS[kind]), None, "ERROR", error, "")


def ask_flagd(core: FlagdCore, key: str, kind: str, context: EvaluationContext) -> Seen:
    """Ask by one of its typed methods. Any other exception is what the OpenFeature client makes of it: GENERAL."""
    try:
        details = getattr(core, f"resolve_{kind}_value")(key, DEFAULTS[kind], context)
    except OpenFeatureError as problem:
        return _fail(kind, problem.error_code.value)
    except Exception:  # noqa: BLE001 - as the client does
        return _fail(kind, ErrorCode.GENERAL.value)
    metadata = repr(sorted(details.flag_metadata.items()))
    return Seen(repr(details.value), details.variant, str(details.reason.value), None, metadata)


def see(resolution: Resolution, kind: str) -> Seen:
    """The resolution under flagd's rule of types."""
    if resolution.error_code is not None:
        return _fail(kind, resolution.error_code.value)
    metadata = repr(sorted(resolution.metadata.items()))
    value = resolution.value
    if value is CALLERS_DEFAULT:
        return Seen(repr(DEFAULTS[kind]), resolution.variant, resolution.reason, None, metadata)
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        return _fail(kind, "TYPE_MISMATCH")
    if kind == "float" and isinstance(value, int):
        try:
            value = float(value)
        except OverflowError:
            return _fail(kind, "GENERAL")
    return Seen(repr(value), resolution.variant, resolution.reason, None, metadata)
