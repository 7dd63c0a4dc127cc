"""What a run is called in the UI."""

from __future__ import annotations

from pathlib import Path

from prefect.runtime import flow_run

from switchover.config import FILE_NAME, load_config
from switchover.errors import SwitchoverError
from switchover.operations.deployment import AS_CONFIGURED, choose_strategy


def name_deploy() -> str:
    """For example `deploy shop 1.2.0 → production (canary-10)`."""
    given = flow_run.parameters
    strategy = given.get("strategy", AS_CONFIGURED)
    try:
        config = load_config(Path(given.get("config", FILE_NAME)))
        strategy = choose_strategy(config, given["environment"], strategy)
    except SwitchoverError:
        pass  # the run itself will say what is wrong with the configuration
    return f"deploy {given['service']} {given['version']} → {given['environment']} ({strategy})"


def name_waves() -> str:
    """For example `deploy shop 1.2.0 → world`."""
    given = flow_run.parameters
    return f"deploy {given['service']} {given['version']} → {given['waves']}"


def name_rollback() -> str:
    """For example `rollback shop → 1.1.0 in production`."""
    given = flow_run.parameters
    return f"rollback {given['service']} → {given.get('version') or 'the release before'} in {given['environment']}"


def name_release() -> str:
    """For example `release acme-home`."""
    try:
        config = load_config(Path(flow_run.parameters.get("config", FILE_NAME)))
    except SwitchoverError:
        return "release"  # the run itself will say what is wrong with the configuration
    return f"release {config.project.name}"


def name_check() -> str:
    """For example `check production`."""
    return f"check {flow_run.parameters['environment']}"


def name_toggle() -> str:
    """For example `kill checkout in production`."""
    given = flow_run.parameters
    return f"{given.get('state', 'enable')} {given['flag']} in {given['environment']}"


def name_flag_rollout() -> str:
    """For example `roll out checkout in production`."""
    given = flow_run.parameters
    return f"roll out {given['flag']} in {given['environment']}"


def name_flag_return() -> str:
    """For example `take back checkout in production`."""
    given = flow_run.parameters
    return f"take back {given.get('flag') or 'a flag'} in {given['environment']}"


def name_hygiene() -> str:
    """For example `flag hygiene of production`."""
    return f"flag hygiene of {flow_run.parameters['environment']}"
