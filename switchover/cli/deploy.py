"""`switchover deploy`: the flow `deploy`, run here, with the ledger as the progress view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from switchover.adapters.connect import read_histories
from switchover.cli.abandoned import open_recovered
from switchover.cli.follow import follow
from switchover.cli.options import choose_environment, common_options, environment_option, find_config
from switchover.cli.output import emit
from switchover.cli.prefect_run import prepare_prefect
from switchover.cli.surroundings import look_around
from switchover.config import load_config
from switchover.config_sections import STRATEGIES
from switchover.decide.deployment import Action, DeployPlan
from switchover.decide.health import count_needed_requests
from switchover.errors import TargetError
from switchover.model import Phase
from switchover.operations.deployment import AS_CONFIGURED, plan_deploy
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.preflight import require_ready
from switchover.operations.recovery import rollouts_in_flight

_PREFECT_PACKAGES = ("prefect", "httpx", "httpcore", "anyio")


@click.command()
@click.argument("service")
@click.argument("version")
@environment_option
@click.option(
    "--strategy",
    type=click.Choice([AS_CONFIGURED, *STRATEGIES]),
    default=AS_CONFIGURED,
    show_default=True,
    help="How the traffic moves.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing; needs no Prefect.")
@common_options
def deploy(
    service: str,
    version: str,
    environment: str | None,
    strategy: str,
    config_path: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring a released version live.

    The flow runs in this process and is recorded by the Prefect server of PREFECT_API_URL.
    """
    file = find_config(config_path)
    config = load_config(file)
    environment = choose_environment(config, environment)
    ports = open_recovered(config, environment)
    histories = read_histories(config, environment, service)
    version = version.removeprefix("v") if version[1:2].isdigit() else version
    plan = plan_deploy(config, ports, service, version, environment, strategy, histories=histories)
    require_ready(ports, plan)
    if dry_run or plan.action is Action.NOTHING:
        text = "\n".join([describe_plan(plan), *_describe_busy(ports, plan)])
        emit({"plan": plan, "entry": None}, text, as_json=as_json)
        return
    prepare_prefect("this deployment")
    _run_flow(file, ports, plan, strategy)
    entry = next(iter(ports.ledger.read_history(service, 1)), None)
    address = look_around(config, environment).read_address(service)
    where = f" at http://{address}" if address else ""
    document = {"plan": plan, "entry": entry, "address": address}
    emit(document, f"{service} {version} is live in {environment}{where}", as_json=as_json)


def describe_plan(plan: DeployPlan) -> str:
    """The plan as a person reads it, one line per thing that would happen."""
    lines = [f"{plan.release.service} {plan.release.version} -> {plan.environment}: {plan.reason}"]
    if plan.action is Action.NOTHING:
        return "\n".join([*lines, "nothing to do"])
    lines += [f"  migrate: {each.step} ({' '.join(each.command)})" for each in plan.migrations]
    lines.append(f"  start {plan.workload.replicas} replicas on {plan.new_colour}")
    tests = plan.smoke_tests
    lines += [f"  smoke test {test.name}: {test.method} {test.path} -> {test.expect_status}" for test in tests]
    if plan.approval_seconds is not None:
        lines.append(f"  ask a person, who has {plan.approval_seconds:g} s (`switchover approve`, or the Prefect UI)")
    lines += [
        f"  give {plan.new_colour} {step.canary_percent} %"
        + (f", watch it for {step.hold_seconds:g} s" if step.hold_seconds else "")
        for step in plan.steps
    ]
    if plan.old_colour is not None:
        old = plan.old_version or "what is live"
        lines.append(f"  keep {old} warm on {plan.old_colour} for {plan.bake_seconds:g} s, then stop it")
    return "\n".join([*lines, *_describe_proof(plan)])


def _describe_proof(plan: DeployPlan) -> list[str]:
    """What the judge needs before it lets anything go on."""
    holds = [step.hold_seconds for step in plan.steps] + [plan.bake_seconds]
    first = next((seconds for seconds in holds if seconds > 0), None)
    if first is None:
        return []
    if not plan.judge.counts_traffic:
        return ["  nobody counts requests: only the fixed rules judge"]
    needed = count_needed_requests(plan.judge)
    back = f"or {plan.old_version or plan.old_colour or 'nothing'} has all of the traffic again"
    latest = first + plan.judge.no_data_seconds
    return [f"  needs about {needed} requests to {plan.new_colour} within {latest:g} s, {back}"]


def _describe_busy(ports: EnvironmentPorts, plan: DeployPlan) -> list[str]:
    """What has to end before this plan may begin."""
    if plan.action is Action.NOTHING:
        return []
    left = rollouts_in_flight(ports.ledger.read())
    return [f"refused as long as {one.service} {one.release.version} is in flight ({one.phase})" for one in left]


def _run_flow(file: Path, ports: EnvironmentPorts, plan: DeployPlan, strategy: str) -> None:
    # Prefect takes seconds to import, and every other command, a rollback above all, does without it.
    from flows.deploy import deploy as flow  # noqa: PLC0415

    service = plan.release.service
    parameters: dict[str, Any] = {
        "service": service,
        "version": plan.release.version,
        "environment": plan.environment,
        "strategy": strategy,
        "config": str(file.resolve()),
    }
    try:
        with follow(ports.ledger, service, lambda line: click.echo(line, err=True)):
            flow(**parameters)
    except KeyboardInterrupt:
        click.echo(after_interruption(ports, service), err=True)
        raise
    except Exception as error:
        if type(error).__module__.split(".")[0] not in _PREFECT_PACKAGES:
            raise
        raise TargetError(
            f"the flow run of {service} {plan.release.version} broke off",
            expected="a Prefect server that answers to the end of the run",
            found=f"{type(error).__name__}: {error}",
            next_step=f"look at `switchover status`; {after_interruption(ports, service)}",
        ) from error


def after_interruption(ports: EnvironmentPorts, service: str) -> str:
    """What becomes of the environment now, from the ledger."""
    record = ports.ledger.read()
    known = record.services.get(service)
    if known is None or known.rollout is None:
        last = next((f": {each.to_version} {each.outcome}" for each in ports.ledger.read_history(service, 1)), "")
        return f"no rollout of {service} is in flight any more{last}"
    rollout, lease = known.rollout, record.lease
    remaining = max(0.0, lease.expires_at - ports.clock.now()) if lease else 0.0
    way = "finished" if rollout.phase is Phase.FINALIZING else f"taken back to {rollout.old_version or 'nothing'}"
    return (
        f"{service} {rollout.release.version} is {rollout.phase} at {rollout.canary_percent} %; it will be {way} by the"
        f" watchdog within {remaining + 2:.0f} s, or at once by `switchover rollback {service} -e {ports.name}`"
    )
