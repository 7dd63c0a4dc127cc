"""Where the flags of a command are: what was named, else the environment, else switchover.toml."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from switchover.cli.options import common_options, find_config
from switchover.config import FILE_NAME, Config, load_config
from switchover.config_flags import FlagsConfig
from switchover.errors import InputError
from switchover.flags.opening import open_store
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Json, Snapshot

STORE_VARIABLE = "SWITCHOVER_FLAGS"
_FILE = "file:"
_NAMED = 10

_Function = TypeVar("_Function", bound=Callable[..., Any])


def place_options(function: _Function) -> _Function:
    """Give a command `--store`, `--config` (as `config_path`) and `--json` (as `as_json`)."""
    return click.option(
        "--store",
        metavar="PLACE",
        help=f"Where the flags are: file:flags.json, redis://host/0?set=shop … Else {STORE_VARIABLE}, else [flags].",
    )(common_options(function))


def open_flags(store: str | None, config_path: Path | None) -> FlagStore:
    """The store that is meant. Raises `InputError` when none is named anywhere."""
    return open_store(find_place(store, config_path))


def find_place(store: str | None, config_path: Path | None) -> str:
    """The place that is meant; a file of switchover.toml stands beside it."""
    named = store or os.environ.get(STORE_VARIABLE)
    if named:
        return named
    config = _read_config(config_path)
    place = config.flags.store
    scheme, colon, path = place.partition(":")
    if colon and f"{scheme}:" != _FILE:
        return place
    return f"{_FILE}{config.root / (path if colon else place)}"


def find_settings(config_path: Path | None) -> tuple[FlagsConfig, Path]:
    """[flags] and the folder that its paths are relative to; the defaults and this folder without a switchover.toml."""
    if config_path is None and not find_config(None).is_file():
        return FlagsConfig(), Path.cwd()
    config = load_config(find_config(config_path))
    return config.flags, config.root


def require_flag(snapshot: Snapshot, key: str) -> dict[str, Json]:
    """The flag's JSON; raise `InputError` with the nearest there is for an unknown one."""
    flag = snapshot.flag(key)
    if isinstance(flag, dict):
        return flag
    raise unknown_flag(key, flag_keys(snapshot))


def flag_keys(snapshot: Snapshot) -> list[str]:
    """The keys of all flags, sorted."""
    return sorted(part.removeprefix("flags/") for part in snapshot.parts if part.startswith("flags/"))


def unknown_flag(key: str, known: Iterable[str]) -> InputError:
    """The error for a key that no flag has."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return InputError(
        f"there is no flag {key}",
        expected=f"one of {', '.join(names[:_NAMED])}{' …' if len(names) > _NAMED else ''}" if names else "none yet",
        found=key,
        next_step=f"did you mean {close[0]}?" if close else f"make it with `switchover flags set {key}`",
    )


def _read_config(config_path: Path | None) -> Config:
    file = find_config(config_path)
    if config_path is None and not file.is_file():
        raise InputError(
            "where are the flags?",
            expected=f"--store, {STORE_VARIABLE}, or a {FILE_NAME} here or above",
            found="none of them",
            next_step="add --store file:flags.json, or --store redis://host:6379/0?set=shop",
        )
    return load_config(file)
