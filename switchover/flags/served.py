"""Which variants a flag can serve at all, read from its definition alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from switchover.flags.snapshot import Json, Part

_MAX_DEPTH = 100


class _CannotKnowError(Exception):
    """Something in the targeting computes the variant."""


def read_served(flag: Json, parts: Mapping[Part, Json]) -> frozenset[str] | None:
    """The variants that somebody may get; empty: everybody gets the caller's default. None: it cannot be known.

    `parts` are those of the set, for the shared rules that the targeting names.
    """
    if not isinstance(flag, dict):
        return None
    if flag.get("state") == "DISABLED":
        return frozenset()
    default = flag.get("defaultVariant")
    otherwise = frozenset({default}) if isinstance(default, str) else frozenset()
    targeting = flag.get("targeting")
    if not targeting:
        return otherwise
    try:
        served = _read(targeting, otherwise, parts, _MAX_DEPTH)
    except _CannotKnowError:
        return None
    variants = flag.get("variants")
    return served if isinstance(variants, dict) and served <= variants.keys() else None


def _read(node: Json, otherwise: frozenset[str], parts: Mapping[Part, Json], depth: int) -> frozenset[str]:
    if node is None:
        return otherwise
    if isinstance(node, bool):
        return frozenset({"true" if node else "false"})
    if isinstance(node, str):
        return frozenset({node})
    if not isinstance(node, dict) or len(node) != 1 or depth == 0:
        raise _CannotKnowError
    (operator, stated), *_ = node.items()
    arguments: list[Json] = stated if isinstance(stated, list) else [stated]
    if operator == "if":
        return _read_branches(arguments, lambda each: _read(each, otherwise, parts, depth - 1))
    if operator == "fractional":
        return _read_buckets(arguments, otherwise)
    if operator == "$ref" and isinstance(stated, str):
        return _read(parts.get(f"$evaluators/{stated}"), otherwise, parts, depth - 1)
    raise _CannotKnowError


def _read_branches(arguments: list[Json], read: Callable[[Json], frozenset[str]]) -> frozenset[str]:
    served: frozenset[str] = frozenset()
    at = 0
    while at + 1 < len(arguments):
        condition, branch = arguments[at : at + 2]
        known = _read_truth(condition)
        if known:
            return served | read(branch)
        if known is None:
            served |= read(branch)
        at += 2
    return served | read(arguments[at] if at < len(arguments) else None)


def _read_truth(condition: Json) -> bool | None:
    """Whether the condition holds for every context; None where that depends on who asks."""
    if condition is None or isinstance(condition, bool):
        return bool(condition)
    match condition:
        case {"or": [*parts], **rest} if parts and not rest:
            truths = {_is_surely(part) for part in parts}
            return True if True in truths else None if None in truths else False
        case {"and": [*parts], **rest} if parts and not rest:
            truths = {_is_surely(part) for part in parts}
            return False if False in truths else None if None in truths else True
    return None


def _is_surely(part: Json) -> bool | None:
    return part if isinstance(part, bool) else None


def _read_buckets(arguments: list[Json], otherwise: frozenset[str]) -> frozenset[str]:
    """The variants of a weight above 0, and what those get who have nothing that could be hashed.

    A first argument that is no bucket says what is hashed; without it that is the targeting key.
    """
    served: set[str] = set(otherwise)
    buckets = arguments[1:] if arguments and not isinstance(arguments[0], list) else arguments
    for bucket in buckets:
        if not isinstance(bucket, list) or not bucket or not isinstance(bucket[0], str):
            raise _CannotKnowError
        weight = bucket[1] if len(bucket) > 1 else 1
        if not isinstance(weight, int | float):
            raise _CannotKnowError
        if weight > 0:
            served.add(bucket[0])
    return frozenset(served)
