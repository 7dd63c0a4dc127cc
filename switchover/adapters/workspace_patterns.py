"""The globs by which a root manifest names the members of its workspace."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from switchover.decide.globs import is_negated, is_understood
from switchover.errors import InputError


def read_npm_patterns(manifest: dict[str, Any], file: str) -> tuple[str, ...]:
    """The globs of a parsed package.json, where `workspaces` is a list or has one as its `packages`."""
    nested = isinstance(manifest.get("workspaces"), dict)
    return read_patterns(manifest, "workspaces.packages" if nested else "workspaces", file)


def read_patterns(document: dict[str, Any], key: str, file: str) -> tuple[str, ...]:
    """The globs under a dotted key; none where it is absent. Raises `InputError` naming file and key."""
    *tables, last = key.split(".")
    table = document
    for depth, name in enumerate(tables, start=1):
        inner = table.get(name)
        if inner is None:
            return ()
        if not isinstance(inner, dict):
            raise _refuse(file, ".".join(tables[:depth]), "a table", inner)
        table = inner
    stated = table.get(last)
    if stated is None:
        return ()
    if not isinstance(stated, list) or not all(isinstance(pattern, str) for pattern in stated):
        raise _refuse(file, key, "a list of texts", stated)
    for pattern in stated:
        _require_inside(pattern, key, file)
    return tuple(stated)


def _require_inside(pattern: str, key: str, file: str) -> None:
    parts = PurePosixPath(pattern[is_negated(pattern) :]).parts
    if "\0" in pattern or "/" in parts or ".." in parts:
        raise _refuse(file, key, "folders below the root", pattern)
    if not is_understood(pattern):
        raise _refuse(file, key, "globs of *, **, ?, [abc], {a,b}, @(a|b), !(a|b) at the end and a leading !", pattern)
    if any(part.count("(") != part.count(")") for part in parts):
        raise _refuse(file, key, "alternatives within one folder name", pattern)
    # It would mean no more than a plain star, which nobody who writes it wants.
    if any("**" in part and part != "**" for part in parts):
        raise _refuse(file, key, "'**' to stand for whole folders", pattern)


def _refuse(file: str, key: str, expected: str, found: object) -> InputError:
    return InputError(
        f"{file} cannot be read",
        expected=f"{expected} under {key!r}",
        found=repr(found),
        next_step=f"correct {key!r} in {file}",
    )
