"""Where the flags of a command are: what was named, else the environment, else switchover.toml."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from switchover.cli.options import common_options, find_config
from switchover.config import FILE_NAME, Config, load_config
from switchover.config_flags import FlagsConfig
from switchover.errors import InputError
from switchover.flags.opening import describe_place, open_store
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Json, Snapshot

STORE_VARIABLE = "SWITCHOVER_FLAGS"
CHECK_PLACE = f"check the place (--store, {STORE_VARIABLE})"
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


def name_place(store: str | None, config_path: Path | None) -> str:
    """The place that is meant as results and errors name it: without user and password."""
    return describe_place(find_place(store, config_path))


def find_settings(config_path: Path | None) -> tuple[FlagsConfig, Path]:
    """[flags] and the folder that its paths are relative to; the defaults and this folder without a switchover.toml."""
    if config_path is None and not find_config(None).is_file():
        return FlagsConfig(), Path.cwd()
    config = load_config(find_config(config_path))
    return config.flags, config.root


def require_flag(snapshot: Snapshot, key: str, place: str) -> dict[str, Json]:
    """The flag's JSON; raise `InputError` with the nearest there is for an unknown one. `place` as errors name it."""
    require_known(snapshot, key, place)
    flag = snapshot.flag(key)
    if isinstance(flag, dict):
        return flag
    raise InputError(
        f"{key} is broken in the store",
        expected="a flag, which is a JSON object",
        found=f"{flag!r:.100}",
        next_step=f"import a file with a sound {key}, with --keep-others, or `switchover flags remove {key}`",
    )


def require_known(snapshot: Snapshot, key: str, place: str) -> None:
    """Raise `InputError` where there is no flag of that name, and where there is no set at all."""
    if f"flags/{key}" not in snapshot.parts:
        raise unknown_flag(snapshot, key, place)


def flag_keys(snapshot: Snapshot) -> list[str]:
    """The keys of all flags, sorted."""
    return sorted(part.removeprefix("flags/") for part in snapshot.parts if part.startswith("flags/"))


def unknown_flag(snapshot: Snapshot, key: str, place: str) -> InputError:
    """The error for a key that no flag has."""
    names = flag_keys(snapshot)
    if not names:
        return _nothing_there(snapshot, key, place)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return InputError(
        f"there is no flag {key}",
        expected=f"a flag of {place}: {', '.join(names[:_NAMED])}{' …' if len(names) > _NAMED else ''}",
        found=key,
        next_step=f"did you mean {close[0]}?" if close else f"look at `switchover flags list`, and {CHECK_PLACE}",
    )


def _nothing_there(snapshot: Snapshot, key: str, place: str) -> InputError:
    """Whoever made the flag where it was not found would hide that he looks at the wrong place, or at a lost set."""
    lost = "no set: it was never written there, or was lost with the data of its server"
    back = "; bring a lost set back with `switchover flags import FILE --why …`"
    return InputError(
        f"there is no flag {key}",
        expected=f"a flag of {place}, which holds no flags",
        found=f"an empty set at version {snapshot.version}" if snapshot.version else lost,
        next_step=CHECK_PLACE + ("" if snapshot.version else back),
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
