"""Artifacts in the Prefect UI. A report that cannot be delivered is logged and never stops a rollout."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from blocks.server_call import single_try
from switchover.decide.deployment import DeployPlan
from switchover.decide.report import (
    Look,
    render_deploy_plan,
    render_history_entry,
    render_rollback_plan,
    render_timeline,
)
from switchover.decide.rollback import RollbackPlan
from switchover.model import HistoryEntry


@task(name="show-plan", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def show_plan(plan: DeployPlan | RollbackPlan) -> None:
    """The plan, before the first effect."""
    if isinstance(plan, DeployPlan):
        publish(f"plan {plan.release.service} {plan.environment}", render_deploy_plan(plan))
    else:
        publish(f"rollback {plan.service}", render_rollback_plan(plan))


@task(name="show-outcome", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def show_outcome(environment: str, entry: HistoryEntry) -> None:
    """How it ended, and why."""
    publish(f"outcome {entry.service} {environment}", render_history_entry(entry))


def show_timeline(service: str, environment: str, looks: Sequence[Look]) -> None:
    """Traffic and verdicts of one watch."""
    publish(f"timeline {service} {environment}", render_timeline(looks))


def publish(title: str, markdown: str) -> None:
    """Create the artifact under a key made of its title."""
    try:
        with single_try():
            create_markdown_artifact(markdown, key=re.sub(r"[^a-z0-9]+", "-", title.lower()), description=title)
    except Exception as error:  # noqa: BLE001 whatever the server does, the rollout goes on
        get_run_logger().warning("the artifact %r was not delivered: %s", title, error)
