"""`switchover check`."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.cli.config_findings import Finding, find_problems
from switchover.cli.options import common_options, find_config
from switchover.cli.output import emit
from switchover.config import load_config

_WRONG_INPUT = 2


@click.command()
@common_options
@click.pass_context
def check(context: click.Context, config_path: Path | None, *, as_json: bool) -> None:
    """Judge the switchover.toml and what it refers to.

    Beyond the schema: folders, manifests, commands, ports and gates. Exit status 2 when something is wrong.
    """
    file = find_config(config_path)
    findings = find_problems(load_config(file))
    problems = tuple(finding for finding in findings if finding.is_problem)
    notices = tuple(finding for finding in findings if not finding.is_problem)
    document = {"file": file, "problems": problems, "notices": notices}
    emit(document, render_findings(file, problems, notices), as_json=as_json)
    context.exit(_WRONG_INPUT if problems else 0)


def render_findings(file: Path, problems: tuple[Finding, ...], notices: tuple[Finding, ...]) -> str:
    """One line per finding, and the sum of it."""
    lines = [f"{finding.key}: {finding.message}" for finding in problems]
    lines += [f"note: {finding.key}: {finding.message}" for finding in notices]
    many = "s" if len(problems) > 1 else ""
    lines.append(
        f"{file}: {len(problems)} problem{many}; correct the keys named above" if problems else f"{file}: good"
    )
    return "\n".join(lines)
