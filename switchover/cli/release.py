"""`switchover release`: plan, commit the versions, build, scan, sign, publish, tag."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from switchover.adapters.release_tools import ReleaseScope, open_release_tools, read_release_scope
from switchover.cli.options import common_options, find_config
from switchover.cli.output import emit
from switchover.cli.plan import describe_plan
from switchover.cli.prefect_run import prepare_prefect
from switchover.decide.plan_json import plan_to_json
from switchover.operations.planning import plan_release
from switchover.operations.release import release as run_stages
from switchover.operations.release_report import report_to_json


@click.command("release")
@common_options
@click.option("--dry-run", is_flag=True, help="Stop after the plan.")
@click.option("--direct", is_flag=True, help="Run the stages in this process, without a Prefect flow run.")
def release(config_path: Path | None, *, as_json: bool, dry_run: bool, direct: bool) -> None:
    """Release what changed. Running it again finishes what was interrupted, and else does nothing."""
    path = config_path or find_config(Path.cwd())
    scope = read_release_scope(path)
    if dry_run:
        _show_plan(scope, as_json=as_json)
        return
    result = _release_directly(scope) if direct else _release_by_flow(path)
    emit(result, _describe(result), as_json=as_json)


def _show_plan(scope: ReleaseScope, *, as_json: bool) -> None:
    tools = open_release_tools(scope.root, scope.artifacts)
    planned = plan_release(tools.workspace, tools.history, scope.settings)
    emit(plan_to_json(planned.versions, planned.notices), describe_plan(planned), as_json=as_json)


def _release_directly(scope: ReleaseScope) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="switchover-release-") as folder:
        done = run_stages(open_release_tools(scope.root, scope.artifacts), scope.settings, Path(folder))
    return report_to_json(scope.project, done)


def _release_by_flow(config: Path) -> dict[str, Any]:
    prepare_prefect("this release", "; or add --direct, which needs none")
    # Prefect takes seconds to import, and everything else on this command line does without it.
    from flows.release import release as release_flow  # noqa: PLC0415

    result: dict[str, Any] = release_flow(config=str(config))
    return result


def _describe(result: dict[str, Any]) -> str:
    lines = [f"committed {result['commit'][:12]}"] if result["commit"] else []
    for component in result["components"]:
        lines.append(f"{component['name']} {component['version']}  {component['digest'] or 'not published'}")
        lines += [f"    {stage}: {outcome}" for stage, outcome in component["stages"].items()]
    return "\n".join(lines) or "Nothing to release: everything is published and tagged."
