"""The one place that decides between text and JSON, and between a terminal and a pipe."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def emit(value: object, text: str, *, as_json: bool) -> None:
    """Write `value` as JSON, or `text`. Dataclasses become objects with the names of their fields."""
    click.echo(json.dumps(as_plain(value), indent=2, ensure_ascii=False) if as_json else text)


def as_plain(value: object) -> Any:
    """The value in what JSON knows: objects, lists, strings, numbers, booleans and null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Path):
        return str(value)
    return value


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def align(rows: list[tuple[str, ...]], indent: str = "") -> str:
    """Rows in columns as wide as their widest cell, two spaces apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(indent + line.rstrip() for line in lines)
