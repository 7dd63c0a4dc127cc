"""What is wrong in a flag's metadata: flagd's primitives and the project's own additions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from switchover.flags.additions import (
    CREATED,
    EXPERIMENT,
    EXPIRES,
    KILL,
    KILLED_STATE,
    NAMES,
    OFF,
    OWNER,
    PREFIX,
    PREREQUISITES,
    read_date,
    read_prerequisites,
)
from switchover.flags.definition_mistakes import Mistake, below, check_name, one_of, show, show_near
from switchover.flags.definition_results import find_circles


def check_metadata(path: str, metadata: object) -> Iterator[Mistake]:
    """Primitives only, and of the names that begin with `switchover.` only the known ones, each of its type."""
    if not isinstance(metadata, dict):
        yield Mistake(path, "an object", show(metadata))
        return
    for name, value in metadata.items():
        at = below(path, str(name))
        yield from check_name(at, name, what="a name", slash=True)
        if str(name).startswith(PREFIX):
            yield from check_addition(at, name, value)
        else:
            yield from check_metadata_value(at, value)


def check_metadata_value(path: str, value: object) -> Iterator[Mistake]:
    """What flagd allows as one value of metadata."""
    if not isinstance(value, bool | int | float | str):
        yield Mistake(path, "a text, a number or a boolean", show(value))


def check_addition(path: str, name: str, value: object) -> Iterator[Mistake]:
    """The form of one addition, as far as it can be told without the rest of the set."""
    if name not in NAMES:
        yield Mistake(path, one_of(NAMES), show_near(name, NAMES))
        return
    expected, is_right = _FORMS[name]
    if not is_right(value):
        yield Mistake(path, expected, show(value))


def check_additions(path: str, flag: Mapping[str, object], variants: Mapping[str, object]) -> Iterator[Mistake]:
    """Whether the variants that additions name exist, and whether a kill is a whole one."""
    metadata = flag.get("metadata")
    if not isinstance(metadata, dict):
        return
    for name in (OFF, KILL):
        variant = metadata.get(name)
        if isinstance(variant, str) and variant not in variants:
            yield Mistake(below(path, "metadata", name), one_of(variants), show_near(variant, variants))
    if KILL in metadata:
        yield from _check_kill(path, flag, metadata[KILL])
    elif KILLED_STATE in metadata:
        yield Mistake(below(path, "metadata", KILLED_STATE), f"none without {KILL}", show(metadata[KILLED_STATE]))


def _check_kill(path: str, flag: Mapping[str, object], variant: object) -> Iterator[Mistake]:
    if flag.get("state") != "ENABLED":
        yield Mistake(below(path, "state"), "ENABLED while the flag is killed", show(flag.get("state")))
    targeting = flag.get("targeting")
    branches = targeting.get("if") if isinstance(targeting, dict) and len(targeting) == 1 else None
    if not isinstance(branches, list) or len(branches) not in {2, 3} or branches[0] is not True:
        yield Mistake(below(path, "targeting"), f'{{"if": [true, {show(variant)}, …]}} while killed', show(targeting))
    elif branches[1] != variant:
        yield Mistake(below(path, "targeting", "if", 1), f"{show(variant)}, as {KILL} says", show(branches[1]))


def check_prerequisites(flags: Mapping[str, Mapping[str, object]]) -> Iterator[Mistake]:
    """Prerequisites have to name flags and variants of the set, and must not lead in a circle."""
    wanted = {key: _prerequisites(flag) for key, flag in flags.items()}
    for key, others in wanted.items():
        path = _path(key)
        for other, variant in others.items():
            if other not in flags:
                yield Mistake(path, "prerequisites that are flags of the set", show_near(other, flags))
                continue
            variants = flags[other].get("variants")
            if isinstance(variants, dict) and variant not in variants:
                expected = f"a variant of {other} ({one_of(variants)})"
                yield Mistake(path, expected, show_near(variant, variants))
    for circle in find_circles({key: list(others) for key, others in wanted.items()}):
        yield Mistake(_path(circle[0]), "prerequisites that do not lead in a circle", " → ".join(circle))


def _path(key: str) -> str:
    return below("flags", key, "metadata", PREREQUISITES)


def _prerequisites(flag: Mapping[str, object]) -> dict[str, str]:
    metadata = flag.get("metadata")
    return (read_prerequisites(metadata.get(PREREQUISITES)) if isinstance(metadata, dict) else None) or {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_date(value: object) -> bool:
    return read_date(value) is not None


_TEXT: Final = ("a text that is not empty", _is_text)
_DATE: Final = ("a date like 2026-12-31", _is_date)
_FORMS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    OWNER: _TEXT,
    CREATED: _DATE,
    EXPIRES: _DATE,
    PREREQUISITES: (
        'a JSON object in a text, like {"other-flag": "on"}',
        lambda it: read_prerequisites(it) is not None,
    ),
    OFF: _TEXT,
    KILL: _TEXT,
    KILLED_STATE: ('"DISABLED"', lambda it: it == "DISABLED"),
    EXPERIMENT: ("true or false", lambda it: isinstance(it, bool)),
}
