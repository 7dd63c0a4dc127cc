"""`switchover release`: plan, commit the versions, test, build, scan, sign, publish, tag; or take a version back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click

from switchover.adapters.release_tools import ReleaseScope, open_release_tools, read_release_scope, read_scope_again
from switchover.cli.options import common_options, find_config
from switchover.cli.output import emit
from switchover.cli.plan import describe_plan
from switchover.cli.prefect_run import prepare_prefect
from switchover.decide.plan_json import plan_to_json
from switchover.operations.planning import ReleaseSettings, plan_release
from switchover.operations.release import release as run_stages
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.release_report import report_to_json
from switchover.operations.withdrawal import Withdrawal
from switchover.operations.withdrawal import withdraw as withdraw_version

# Stages that nobody asked for say nothing in a terminal; --json has them.
_NOT_CONFIGURED = {
    "code scanning": "skipped: not asked for",
    "page": "skipped: no section release.github, or releases = false in it",
    "point": "skipped: there are no moving tags here",
}


@click.command("release")
@common_options
@click.option("--dry-run", is_flag=True, help="Stop after the plan.")
@click.option("--direct", is_flag=True, help="Run the stages in this process, without a Prefect flow run.")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Seconds to wait for another release to end.",
)
@click.option("--fill-store", is_flag=True, help="Build again what is released and this machine has no bytes of.")
@click.option("--withdraw", metavar="VERSION", help="Take `name@version` back, as far as registries allow.")
@click.option("--reason", default="", help="Why, for those who meet the withdrawn version.")
@click.pass_context
def release(
    context: click.Context,
    config_path: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
    direct: bool,
    wait_seconds: float,
    fill_store: bool,
    withdraw: str | None,
    reason: str,
) -> None:
    """Release what changed. Running it again finishes what was interrupted, and else does nothing.

    With --withdraw: moving tags go back to the release before, and people are warned off the version.
    """
    path = config_path or find_config(Path.cwd())
    scope = read_release_scope(path)
    if withdraw is not None:
        if not reason.strip():
            raise click.UsageError("--withdraw needs a --reason: those who meet the version read it")
        context.exit(_withdraw(scope, withdraw, reason, as_json=as_json))
    if dry_run:
        _show_plan(scope, as_json=as_json)
        return
    result = (
        _release_directly(path, scope, wait_seconds, fill_store=fill_store)
        if direct
        else _release_by_flow(path, wait_seconds, fill_store=fill_store)
    )
    emit(result, _describe(result), as_json=as_json)


def _show_plan(scope: ReleaseScope, *, as_json: bool) -> None:
    tools = open_release_tools(scope, os.environ)
    planned = plan_release(tools.workspace, tools.history, scope.settings)
    emit(plan_to_json(planned.versions, planned.notices), describe_plan(planned), as_json=as_json)


def _release_directly(config: Path, scope: ReleaseScope, wait_seconds: float, *, fill_store: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="switchover-release-") as folder:

        def reopen() -> tuple[ReleaseTools, ReleaseSettings]:
            fresh = read_scope_again(scope, config)
            return open_release_tools(fresh, os.environ), fresh.settings

        done = run_stages(reopen, Path(folder), wait_seconds, fill_store=fill_store)
    return report_to_json(scope.project, done)


def _release_by_flow(config: Path, wait_seconds: float, *, fill_store: bool) -> dict[str, Any]:
    prepare_prefect("this release", "; or add --direct, which needs none")
    # Prefect takes seconds to import, and everything else on this command line does without it.
    from flows.release import release as release_flow  # noqa: PLC0415

    result: dict[str, Any] = release_flow(config=str(config), wait_seconds=wait_seconds, fill_store=fill_store)
    return result


def _withdraw(scope: ReleaseScope, wanted: str, reason: str, *, as_json: bool) -> int:
    done = withdraw_version(open_release_tools(scope, os.environ), scope.settings, wanted, reason)
    lines: list[str] = []
    for each in done:
        lines += [f"{each.component} is withdrawn", *(f"    {one.stage}: {one}" for one in each.outcomes)]
    complete = all(each.complete for each in done)
    if not complete:
        lines.append("some of it did not happen; run the same again")
    emit({"withdrawn": [_withdrawal_to_json(each) for each in done]}, "\n".join(lines), as_json=as_json)
    return 0 if complete else 1


def _withdrawal_to_json(done: Withdrawal) -> dict[str, Any]:
    return {
        "name": done.component.name,
        "version": done.component.version,
        "complete": done.complete,
        "stages": [{"stage": each.stage, "outcome": str(each)} for each in done.outcomes],
    }


def _describe(result: dict[str, Any]) -> str:
    lines = [f"committed {result['commit'][:12]}"] if result["commit"] else []
    lines += [f"proposed {result['proposal']}"] if result["proposal"] else []
    if result["components"]:
        told = {"tests": result["tests"], "sources": result["sources"]}
        lines += [f"{what}: {outcome}" for what, outcome in told.items() if outcome.startswith("done")]
    for component in result["components"]:
        lines.append(f"{component['name']} {component['version']}  {component['digest'] or 'not published'}")
        stages = component["stages"].items()
        lines += [f"    {stage}: {outcome}" for stage, outcome in stages if _NOT_CONFIGURED.get(stage) != outcome]
    return "\n".join(lines) or "Nothing to release: everything is published and tagged."
