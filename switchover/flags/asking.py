"""Who asks, in the forms in which applications say it, and answers that no flag gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias, cast

from switchover.flags.bucketing import BUCKETS, split_by_pair
from switchover.flags.context import TARGETING_KEY, Context
from switchover.flags.flag_set import Answer
from switchover.flags.resolution import CALLERS_DEFAULT, NO_METADATA, ErrorCode, Metadata, Reason, Resolution

Asker: TypeAlias = Context | str | Mapping[str, object]
"""A context, a targeting key alone, or attributes with the targeting key as `targetingKey`."""

_EVERYBODY: Final = 100


def read_context(given: object) -> Context | None:
    """The context that is meant, None where none can be. What has a context's two attributes is one."""
    try:
        if isinstance(given, str):
            return Context(given)
        if isinstance(given, Mapping):
            return Context(given.get(TARGETING_KEY), given)
        # OpenFeature's own context has them too: copying it would cost more than the evaluation.
        duck = cast("Context", given)
        _ = duck.targeting_key
        return duck if isinstance(duck.attributes, Mapping) else None
    except Exception:  # noqa: BLE001 - an object of the application's may fail as it likes
        return None


def no_context(key: str, given: object) -> Resolution:
    """For one who asks with something that is no context."""
    kinds = "expected a Context, a targeting key or a mapping"
    return unanswered(key, ErrorCode.INVALID_CONTEXT, f"{kinds}, found {type(given).__name__}")


def unanswered(key: str, code: ErrorCode, message: str, metadata: Metadata = NO_METADATA) -> Resolution:
    """The caller's default, because no flag could be asked."""
    return Resolution(
        key, CALLERS_DEFAULT, None, Reason.ERROR, error_code=code, error_message=message, metadata=metadata
    )


def split(key: str, percent: float, context: Context) -> Resolution:
    """Whether the context's bucket by `key` is below `percent`: the one that a stored flag of that key would use.

    100 is everybody and 0 nobody, with a targeting key or without. An error for what is no percentage.
    """
    if not 0 <= percent <= _EVERYBODY:
        return unanswered(key, ErrorCode.GENERAL, f"expected a percentage from 0 to {_EVERYBODY}, found {percent}")
    return _split(key, percent)(context)


@lru_cache(maxsize=1024)
def _split(key: str, percent: float) -> Answer:
    on, off = (Resolution(key, value, None, Reason.SPLIT) for value in (True, False))
    if percent in (0, _EVERYBODY):
        return lambda _context: on if percent else off
    nobody = unanswered(key, ErrorCode.TARGETING_KEY_MISSING, "a percentage is by targeting key, and there is none")
    return split_by_pair(key, (math.ceil(percent * BUCKETS / _EVERYBODY), BUCKETS), (on, off), nobody)
