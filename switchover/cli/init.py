"""`switchover init`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from switchover.cli.config_findings import find_problems
from switchover.cli.init_template import render_config
from switchover.cli.options import common_options
from switchover.cli.output import emit
from switchover.cli.service_detection import DetectedService, detect_services
from switchover.config import FILE_NAME, json_schema, load_config
from switchover.errors import InputError, TargetError

SCHEMA_FILE = "switchover.schema.json"


@click.command()
@common_options
def init(config_path: Path | None, *, as_json: bool) -> None:
    """Write a commented switchover.toml for this repository.

    Services are the folders with a package.json or pyproject.toml below services/, else the repository
    itself. The JSON Schema is written beside it, for editors. Nothing is overwritten.
    """
    file = _target(config_path)
    if file.exists():
        raise InputError(
            f"{file} is there already",
            expected="no configuration yet",
            found=f"{file.stat().st_size} bytes",
            next_step="edit it and run `switchover check`, or move it away first",
        )
    services = detect_services(file.parent)
    if not services:
        raise InputError(
            f"found nothing to deploy in {file.parent}",
            expected="folders with a package.json or pyproject.toml below services/, or one of these here",
            found="none",
            next_step="change to the root of the repository, or give a service its manifest first",
        )
    _write(file, services)
    findings = find_problems(load_config(file))
    lines = [f"wrote {file} with {', '.join(service.name for service in services)}"]
    lines += [f"look at {finding.key}: {finding.message}" for finding in findings]
    document = {"file": file, "services": services, "findings": findings}
    lines.append("next: read it, add .switchover/ to .gitignore, then `switchover check`")
    emit(document, "\n".join(lines), as_json=as_json)


def _target(config_path: Path | None) -> Path:
    path = (config_path or Path.cwd()).absolute()
    return path / FILE_NAME if path.is_dir() else path


def _write(file: Path, services: tuple[DetectedService, ...]) -> None:
    try:
        # Mode "x": nothing is lost when somebody else writes it at this moment.
        with file.open("x", encoding="utf-8") as stream:
            stream.write(render_config(file.parent.name, services, SCHEMA_FILE))
        schema = json.dumps(json_schema(), indent=2) + "\n"
        (file.parent / SCHEMA_FILE).write_text(schema, encoding="utf-8")
    except OSError as error:
        raise TargetError(
            f"cannot write {file}",
            expected="a folder that can be written to",
            found=error.strerror or str(error),
            next_step="correct its rights or make room, and repeat",
        ) from error
