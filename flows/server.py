"""What `flows.serve` and `flows.deployments` share: is there a server, and how does a command end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import click

from switchover.adapters.prefect_api import find_prefect_api
from switchover.cli.failures import show_problem, show_usage_error
from switchover.errors import InputError, SwitchoverError, TargetError

_ANSWER_SECONDS = 3.0


def require_server(environ: Mapping[str, str] = os.environ) -> str:
    """The address of the API that answers; `InputError` when none is named, `TargetError` when it is silent."""
    api = find_prefect_api(environ)
    if api is None:
        raise InputError(
            "no Prefect server is named",
            expected="PREFECT_API_URL in the environment or in the active Prefect profile",
            found="neither",
            next_step="run `prefect server start`, then set PREFECT_API_URL=http://127.0.0.1:4200/api",
        )
    trouble = api.find_trouble(_ANSWER_SECONDS)
    if trouble:
        raise TargetError(
            f"the Prefect server at {api.url} cannot be used",
            expected=f"an answer from {api.url}/health within {_ANSWER_SECONDS:.0f} s",
            found=trouble,
            next_step="start it (`prefect server start`), or correct PREFECT_API_URL",
        )
    return api.url


def run_command(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; a user's mistake ends in four lines and no traceback."""
    try:
        command.main(list(arguments), prog_name=f"python -m {command.callback.__module__}", standalone_mode=False)
    except SwitchoverError as error:
        return show_problem(error, as_json=False)
    except click.ClickException as error:
        return show_usage_error(error, as_json=False)
    except click.Abort:
        return 130
    return 0
