"""What `.changeset/config.json` says about versions. Everything else in it is not ours to follow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from switchover.errors import InputError

FILE = ".changeset/config.json"


@dataclass(frozen=True, slots=True)
class ChangesetConfig:
    """Groups and exceptions. Lists hold names or globs; `private_packages`: private ones are versioned too."""

    private_packages: bool = False
    ignore: tuple[str, ...] = ()
    fixed: tuple[tuple[str, ...], ...] = ()
    linked: tuple[tuple[str, ...], ...] = ()


def parse_changeset_config(text: str) -> ChangesetConfig:
    """Read the file's text. Raises `InputError` for what is not JSON or has another shape."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _refuse("JSON", str(error)) from error
    if not isinstance(document, dict):
        raise _refuse("a JSON object", type(document).__name__)
    private = document.get("privatePackages", False)
    return ChangesetConfig(
        private_packages=bool(private.get("version", False)) if isinstance(private, dict) else bool(private),
        ignore=_read_names(document.get("ignore", []), "ignore"),
        fixed=_read_groups(document.get("fixed", []), "fixed"),
        linked=_read_groups(document.get("linked", []), "linked"),
    )


def _read_groups(value: Any, key: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        raise _refuse(f"a list of lists of names under {key!r}", repr(value))
    return tuple(_read_names(group, key) for group in value)


def _read_names(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _refuse(f"a list of names under {key!r}", repr(value))
    return tuple(value)


def _refuse(expected: str, found: str) -> InputError:
    return InputError(f"{FILE} cannot be read", expected=expected, found=found, next_step="correct the file")
