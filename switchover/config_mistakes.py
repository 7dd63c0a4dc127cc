"""What is wrong with a switchover.toml, in words that lead to the right key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from switchover.errors import InputError


def explain(problem: Any, whole: type[BaseModel]) -> str:
    """One of pydantic's errors as `place: what is wrong`, with the nearest known key where one is unknown."""
    place = [str(part) for part in problem["loc"]]
    dotted = ".".join(place) or "the file"
    if problem["type"] != "extra_forbidden":
        return f"{dotted}: {problem['msg'].removeprefix('Value error, ')}"
    return f"unknown key {dotted}{nearest(place[-1], _keys_at(place[:-1], whole))}"


def _keys_at(place: list[str], whole: type[BaseModel]) -> list[str]:
    model: Any = whole
    for part in place:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[part].annotation
        model = _section_in(model)
    return [name for name in model.model_fields if name != "file"] if model is not None else []


def _section_in(annotation: Any) -> Any:
    """The section class inside `dict[Name, X]`, `list[X]` or `X | None`; the class itself where it is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found is not None:
            return found
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the nearest known word, nothing where none is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not in the file."""
    return InputError(
        f"unknown {kind} {name}",
        expected="one of " + ", ".join(sorted(known)),
        found=name,
        next_step=f"name one of them{nearest(name, known)}, or add it to switchover.toml",
    )
