"""Make everything known to a running Prefect server: `python -m flows.deployments` (make deployments).

Block types, the work pool, the deployments of prefect.yaml and the automations, in this order. Repeating it brings
them up to date; a work pool that is there already is left as its operator has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from blocks.register import register_blocks
from flows.server import require_server, run_command
from switchover.cli.options import choose_environment, read_config
from switchover.config import FILE_NAME
from switchover.errors import InputError, TargetError
from tasks.automations import ensure_automations

POOL = "switchover"
PREFECT_FILE = Path(__file__).parent.parent / "prefect.yaml"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--environment", "-e", help="Which one; not needed where there is one only.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Its switchover.toml.")
@click.option("--prefect-file", type=click.Path(path_type=Path), default=PREFECT_FILE, help="Another prefect.yaml.")
def main(environment: str | None, config_path: Path | None, prefect_file: Path) -> None:
    """Register blocks, work pool, deployments and automations of one environment."""
    api_url = require_server()
    config = read_config(config_path)
    environment = choose_environment(config, environment)
    file = str(config.root / FILE_NAME)
    if not prefect_file.is_file():
        raise InputError(
            "there is no prefect.yaml", expected=str(prefect_file), found="no such file", next_step="name it"
        )
    place = {
        "SWITCHOVER_ENVIRONMENT": environment,
        "SWITCHOVER_CONFIG": file,
        "SWITCHOVER_HOME": str(config.root),
    }
    click.echo(f"server       {api_url}")
    click.echo(f"blocks       {', '.join(register_blocks())}")
    click.echo(f"work pool    {POOL} ({_ensure_pool()})")
    _prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file), variables=place)
    click.echo(f"deployments  those of {prefect_file.name} for {environment}, reading {file}")
    for name in ensure_automations(environment, file):
        click.echo(f"automation   {name}")
    click.echo(f"next         prefect worker start --pool {POOL}")


def _ensure_pool() -> str:
    created = _run_prefect("work-pool", "create", POOL, "--type", "process")
    if created.returncode == 0:
        return "created"
    if "already exists" in created.stdout + created.stderr:
        return "there already"
    raise _refused(created)


def _prefect(*arguments: str, variables: Mapping[str, str]) -> None:
    done = _run_prefect(*arguments, variables=variables)
    if done.returncode:
        raise _refused(done)


def _run_prefect(*arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefect", *arguments]
    environ = {**os.environ, **(variables or {}), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _refused(done: subprocess.CompletedProcess[str]) -> TargetError:
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return TargetError(
        f"`prefect {' '.join(done.args[3:])}` failed",
        expected="exit status 0",
        found=f"{done.returncode}: {' | '.join(said[-5:])}",
        next_step="correct what it says, then repeat",
    )


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
