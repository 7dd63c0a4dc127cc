"""What is wrong with one flag, told without the other flags of its set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from switchover.flags.additions import KILL
from switchover.flags.definition_additions import check_additions, check_metadata
from switchover.flags.definition_mistakes import (
    Mistake,
    below,
    check_json,
    check_name,
    one_of,
    show,
    show_near,
)
from switchover.flags.definition_results import (
    Evaluator,
    check_expanded,
    check_references,
    check_results,
)
from switchover.flags.definition_targeting import check_rule
from switchover.flags.flag_size import MAX_FLAG_BYTES, json_bytes
from switchover.flags.json_values import MAX_DEPTH

STATES: Final = ("ENABLED", "DISABLED")
FLAG_KEYS: Final = ("state", "variants", "defaultVariant", "targeting", "metadata")
MAX_SAFE_INTEGER: Final = 2**53 - 1
"""What a number is exactly in every language."""

_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "text"),
    (dict, "object"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """How much larger a flag may be for being killed: whatever could be stored can be killed."""

    levels: int = 0
    size: int = 0


def room_for_kill(flag: object) -> Room:
    """The levels and bytes that a kill adds at most."""
    metadata = flag.get("metadata") if isinstance(flag, dict) else None
    return Room(levels=2, size=8192) if isinstance(metadata, dict) and KILL in metadata else Room()


def check_flag(
    path: str, flag: object, rules: Mapping[str, object], evaluators: Mapping[str, Evaluator]
) -> Iterator[Mistake]:
    """All mistakes of one flag; `rules` are the evaluators as they stand, `evaluators` the sound ones, weighed."""
    room = room_for_kill(flag)
    broken = list(check_json(path, flag, MAX_DEPTH + room.levels))
    if broken:
        yield from broken
        return
    if not isinstance(flag, dict):
        yield Mistake(path, "an object", show(flag))
        return
    size = json_bytes(flag)
    if size > MAX_FLAG_BYTES + room.size:
        yield Mistake(path, f"at most {MAX_FLAG_BYTES:,} bytes", f"{size:,} bytes")
        return
    yield from _check_keys(path, flag)
    if "metadata" in flag:
        yield from check_metadata(below(path, "metadata"), flag["metadata"])
    variants = flag.get("variants")
    mistakes = list(_check_variants(below(path, "variants"), variants))
    yield from mistakes
    if isinstance(variants, dict) and variants:
        yield from _check_default(below(path, "defaultVariant"), flag.get("defaultVariant"), variants)
        yield from check_additions(path, flag, variants)
        yield from _check_targeting(
            below(path, "targeting"), flag.get("targeting", {}), variants, rules, evaluators, room
        )


def _check_keys(path: str, flag: Mapping[str, object]) -> Iterator[Mistake]:
    for key in flag:
        if key not in FLAG_KEYS:
            yield Mistake(below(path, key), one_of(FLAG_KEYS), show_near(key, FLAG_KEYS))
    state = flag.get("state")
    if "state" not in flag:
        yield Mistake(below(path, "state"), one_of(STATES), "none")
    elif state not in STATES:
        found = show_near(state, STATES) if isinstance(state, str) else show(state)
        yield Mistake(below(path, "state"), one_of(STATES), found)


def _check_variants(path: str, variants: object) -> Iterator[Mistake]:
    if not isinstance(variants, dict) or not variants:
        yield Mistake(path, "an object with at least one variant", show(variants))
        return
    first: str | None = None
    for name, value in variants.items():
        at = below(path, name)
        yield from check_name(at, name, what="a variant's name", slash=True)
        kind = _kind(value)
        if kind is None:
            yield Mistake(at, "a boolean, a text, a number or an object", show(value))
        elif first is not None and kind != first:
            yield Mistake(at, f"a {first} like the first variant", f"a {kind}")
        elif isinstance(value, int | float) and abs(value) > MAX_SAFE_INTEGER:
            yield Mistake(at, f"a number from {-MAX_SAFE_INTEGER} to {MAX_SAFE_INTEGER}", show(value))
        first = first or kind


def _kind(value: object) -> str | None:
    return next((kind for types, kind in _KINDS if isinstance(value, types)), None)


def _check_default(path: str, default: object, variants: Mapping[str, object]) -> Iterator[Mistake]:
    if isinstance(default, str):
        if default not in variants:
            yield Mistake(path, one_of(variants), show_near(default, variants))
    elif default is not None:
        yield Mistake(path, one_of(variants), show(default))


def _check_targeting(
    path: str,
    targeting: object,
    variants: Mapping[str, object],
    rules: Mapping[str, object],
    evaluators: Mapping[str, Evaluator],
    room: Room,
) -> Iterator[Mistake]:
    if targeting == {}:
        return
    mistakes = [*check_rule(path, targeting), *check_references(path, targeting, rules)]
    yield from mistakes
    if not mistakes:
        yield from check_results(path, targeting, variants, evaluators)
        yield from check_expanded(path, targeting, evaluators, MAX_DEPTH + room.levels)
