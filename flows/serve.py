"""Serve the flows from this process, with no work pool: `python -m flows.serve --environment production`.

For one machine. Put the ways back on a runner of their own (`--only rollback --only take-flag-back`, and the rest in
another process): the runner that dies with its deployment cannot take it back.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from flows.deploy import deploy
from flows.environment_check import check_environment
from flows.flag_hygiene import flag_hygiene
from flows.gradual_rollout import gradual_rollout
from flows.release import release
from flows.rollback import rollback
from flows.server import require_server, run_command
from flows.take_flag_back import take_flag_back
from flows.toggle_flag import toggle_flag
from flows.waves import deploy_waves
from switchover.cli.options import choose_environment, read_config
from switchover.config import FILE_NAME
from tasks.automations import HEARTBEAT_SECONDS, OF_DEPLOYMENT, OF_FLAG, SILENCE_SECONDS, ensure_automations

FLOWS: dict[str, Flow[..., Any]] = {
    "deploy": deploy,
    "rollback": rollback,
    "release": release,
    "waves": deploy_waves,
    "check": check_environment,
    "toggle": toggle_flag,
    "rollout": gradual_rollout,
    "take-flag-back": take_flag_back,
    "hygiene": flag_hygiene,
}
WAYS = {"rollback": OF_DEPLOYMENT, "take-flag-back": OF_FLAG}
"""Whoever serves the way back makes its automations."""
POLL_SECONDS = 1.0
SCHEDULES = {
    "check": Interval(300, slug="every-five-minutes"),
    "hygiene": Cron("0 6 * * 1", timezone="UTC", slug="every-monday"),
}
"""As in prefect.yaml: of a deployment that was made from there, Prefect changes no schedule without its slug."""
_OF_NO_ENVIRONMENT = frozenset({"release", "waves"})


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--environment", "-e", help="Which one; not needed where there is one only.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Its switchover.toml.")
@click.option("--only", multiple=True, type=click.Choice(list(FLOWS)), help="Serve this flow; may be repeated.")
@click.option("--silence-seconds", default=SILENCE_SECONDS, show_default=True, help="Without heartbeat: crashed.")
def main(environment: str | None, config_path: Path | None, only: tuple[str, ...], silence_seconds: float) -> None:
    """Serve the flows (waves where there are any) until Ctrl-C."""
    require_server()
    config = read_config(config_path)
    environment = choose_environment(config, environment)
    file = str(config.root / FILE_NAME)
    names = [name for name in FLOWS if name != "waves" or config.waves]
    deployments = {name: describe_deployment(name, environment, file) for name in names}
    served = [deployments[name] for name in only or names if name in deployments]
    # All of them are made known before any is served: an automation refers to two, and these may be served
    # from two processes.
    for deployment in deployments.values():
        deployment.apply()
    ways = [way for name, way in WAYS.items() if not only or name in only]
    ensure_automations(environment, file, ways, silence_seconds)
    serve(*served, query_seconds=POLL_SECONDS, heartbeat_seconds=HEARTBEAT_SECONDS)


def describe_deployment(name: str, environment: str, config: str) -> RunnerDeployment:
    """The deployment `<flow>/<environment>`, named as in prefect.yaml and with no work pool."""
    place = {} if name in _OF_NO_ENVIRONMENT else {"environment": environment}
    deployment = FLOWS[name].to_deployment(
        environment,
        parameters={**place, "config": config},
        tags=["switchover", environment],
        enforce_parameter_schema=True,
        schedule=SCHEDULES.get(name),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    if not isinstance(deployment, RunnerDeployment):
        msg = "deployments are described in synchronous code only"
        raise TypeError(msg)
    return deployment


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
