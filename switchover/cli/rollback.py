"""`switchover rollback`: the plain function on the adapters. Prefect is told afterwards, if it is there."""

from __future__ import annotations

import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from switchover.adapters.prefect_api import find_prefect_api
from switchover.cli.options import common_options, environment_option, find_way_back, open_for_rollback, state_option
from switchover.cli.output import emit, is_terminal
from switchover.cli.person import name_person
from switchover.decide.rollback import RollbackPlan, Way
from switchover.errors import SwitchoverError
from switchover.model import HistoryEntry
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.rollback import RollbackRequest, read_plan, roll_back

_REPORT_SECONDS = 1.0


@click.command()
@click.argument("service")
@click.argument("version", required=False)
@environment_option
@state_option
@click.option("--reason", default="asked for on the command line", show_default=True, help="Kept in the history.")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--accept-irreversible", is_flag=True, help="Even behind a migration that cannot be taken back.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; a pipe or --json never asks.")
@common_options
def rollback(
    service: str,
    version: str | None,
    environment: str | None,
    state: Path | None,
    reason: str,
    config_path: Path | None,
    *,
    dry_run: bool,
    accept_irreversible: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take a service back, even without Prefect.

    Without VERSION: end the rollout in flight, or go to the release before the live one. With it: to that
    one, which must have been live there before. A configuration that cannot be read does not stand in the way.
    """
    found = find_way_back(config_path, environment, state)
    environment = found.facts.environment
    ports = open_for_rollback(found, start=False)
    if found.config is not None and service not in ports.ledger.read().services:
        # A service that left the file can still be taken back; one that is in neither is a mistake.
        found.config.service(service)
    version = _without_v(version)
    plan = read_plan(ports, service, version)
    if dry_run or plan.way is Way.NOTHING:
        emit(_document(environment, plan, None, "", dry_run=dry_run), _describe(environment, plan), as_json=as_json)
        return
    if not (yes or as_json) and sys.stdin.isatty() and is_terminal():
        click.confirm(f"{_describe(environment, plan)}\nDo it?", default=True, abort=True, err=True)
    request = RollbackRequest(
        service,
        version,
        holder=name_person(),
        reason=reason,
        rollout_id=uuid.uuid4().hex,
        accept_irreversible=accept_irreversible,
    )
    plan, entry = _apply(open_for_rollback(found, start=True), request, plan)
    trouble = _tell_prefect(environment, plan, entry)
    now = f"{plan.serve_version} ({plan.serve})" if plan.serve_version else "nothing"
    text = f"{service} in {environment} is on {now}: {plan.way}"
    emit(_document(environment, plan, entry, trouble, dry_run=False), text, as_json=as_json)
    if trouble:
        click.echo(f"Prefect was not told: {trouble}", err=True)


def _apply(
    ports: EnvironmentPorts, request: RollbackRequest, plan: RollbackPlan
) -> tuple[RollbackPlan, HistoryEntry | None]:
    try:
        return roll_back(ports, request, plan)
    except SwitchoverError:
        _say_where_the_traffic_is(ports, request.service)
        raise


def _say_where_the_traffic_is(ports: EnvironmentPorts, service: str) -> None:
    """The first question of whoever reads an error at night."""
    record = ports.ledger.read().services[service]
    route = ports.router.read_route(service)
    if record.live is None or route is None:
        return
    release = record.slot(record.live).release
    share = f"{route.percent(record.live)} % of the traffic of {service} is on {record.live}"
    click.echo(f"{share} ({release.version if release else 'unknown'}); what failed:", err=True)


def _without_v(version: str | None) -> str | None:
    """`v1.4.2` as people say it, `1.4.2` as releases are called."""
    return version[1:] if version and version[0] == "v" and version[1:2].isdigit() else version


def _describe(environment: str, plan: RollbackPlan) -> str:
    goal = f"{plan.serve_version} on {plan.serve}" if plan.serve_version else "nothing live"
    head = f"{plan.service} in {environment}: {plan.way} ({plan.reason})"
    if plan.way is Way.NOTHING:
        return head
    migrations = ", ".join(f"{each.step} of {each.release.version}" for each in plan.migrations)
    return f"{head}; then: {goal}" + (f"; migrations first: {migrations}" if migrations else "")


def _document(
    environment: str, plan: RollbackPlan, entry: HistoryEntry | None, trouble: str, *, dry_run: bool
) -> dict[str, Any]:
    return {"environment": environment, "dry_run": dry_run, "plan": plan, "entry": entry, "prefect_trouble": trouble}


def _tell_prefect(environment: str, plan: RollbackPlan, entry: HistoryEntry | None) -> str:
    """Why Prefect was not told; empty when it was, or when there is none to tell."""
    api = find_prefect_api(os.environ)
    if api is None:
        return ""
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "switchover.rollback",
        "resource": {
            "prefect.resource.id": f"switchover.{environment}.{plan.service}",
            "prefect.resource.name": f"{plan.service} in {environment}",
        },
        "payload": {
            "environment": environment,
            "service": plan.service,
            "version": plan.serve_version,
            "way": plan.way,
            "reason": plan.reason,
            "outcome": entry.outcome if entry else None,
        },
    }
    return api.report(event, _REPORT_SECONDS)
