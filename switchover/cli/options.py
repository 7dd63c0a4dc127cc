"""What every command takes: `--config` and `--json`; and how a command gets from there to an environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from switchover.adapters.connect import connect, connect_for_rollback
from switchover.adapters.environment_facts import FoundFacts, find_facts, read_facts
from switchover.config import FILE_NAME, Config, load_config
from switchover.errors import InputError
from switchover.operations.environment import EnvironmentPorts

_Function = TypeVar("_Function", bound=Callable[..., Any])


def common_options(function: _Function) -> _Function:
    """Give a command `--config` (as `config_path`) and `--json` (as `as_json`)."""
    with_json = click.option("--json", "as_json", is_flag=True, help="Write JSON on standard output.")(function)
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help=f"The configuration; the nearest {FILE_NAME} upwards from here if absent.",
    )(with_json)


def environment_option(function: _Function) -> _Function:
    """Give a command `--environment`."""
    return click.option(
        "--environment", "--env", "-e", "environment", help="May be left out when the file has exactly one."
    )(function)


def state_option(function: _Function) -> _Function:
    """Give a command `--state`, for `find_way_back`."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="The environment that keeps its state in this folder, whatever the configuration says.",
    )(function)


def read_config(config_path: Path | None) -> Config:
    """The configuration that was named, or the nearest one; raise `InputError` for what is wrong with it."""
    return load_config(find_config(config_path))


def find_config(config_path: Path | None) -> Path:
    """The configuration that was named, else the nearest one upwards from here; where it would be without any."""
    if config_path is not None:
        return config_path / FILE_NAME if config_path.is_dir() else config_path
    here = Path.cwd()
    candidates = [place / FILE_NAME for place in (here, *here.parents)]
    return next((file for file in candidates if file.is_file()), candidates[0])


def choose_environment(config: Config, name: str | None) -> str:
    """The environment asked for, or the only one there is; raise `InputError` otherwise."""
    if name is not None:
        config.environment(name)
        return name
    if not config.environments:
        raise InputError(
            "there is no environment",
            expected="a section [environments.<name>] in switchover.toml",
            found="none: this file is about releases alone",
            next_step="add one, as docs/tutorial.md shows",
        )
    if len(config.environments) == 1:
        return next(iter(config.environments))
    raise InputError(
        "which environment?",
        expected="--environment with one of " + ", ".join(config.environments),
        found=f"none named, and the file has {len(config.environments)}",
        next_step=f"add --environment {next(iter(config.environments))}",
    )


def chosen_environments(config: Config, name: str | None) -> tuple[str, ...]:
    """The environment asked for, or all of them."""
    return (choose_environment(config, name),) if name is not None else tuple(config.environments)


def open_ports(config: Config, environment: str, *, start: bool) -> EnvironmentPorts:
    """The environment's ports. `start` False: only look, nothing is started."""
    own: Callable[..., EnvironmentPorts] | None = click.get_current_context().obj
    return (own or connect)(config, environment, start=start)


def find_way_back(config_path: Path | None, environment: str | None, state: Path | None) -> FoundFacts:
    """What a rollback needs to know; a configuration that cannot be read is told in one line and not needed."""
    if state is None:
        found = find_facts(
            find_config(config_path), environment, lambda config: choose_environment(config, environment)
        )
        if found.warning:
            click.echo(f"warning: {found.warning}", err=True)
        return found
    facts = read_facts(state)
    if environment not in (None, facts.environment):
        raise InputError(
            f"{state} is not the state folder of {environment}",
            expected=str(environment),
            found=facts.environment,
            next_step="correct --state or --environment",
        )
    return FoundFacts(facts)


def open_for_rollback(found: FoundFacts, *, start: bool) -> EnvironmentPorts:
    """The environment's ports, for those who take traffic back; see `connect_for_rollback`."""
    own: Callable[..., EnvironmentPorts] | None = click.get_current_context().obj
    if own is not None and found.config is not None:
        return own(found.config, found.facts.environment, start=start)
    return connect_for_rollback(found.facts, start=start)
