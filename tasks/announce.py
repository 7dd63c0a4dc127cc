"""What a release tells the Prefect server: the plan as a table, and the event that deployments wait for."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from switchover.decide.plan_json import plan_to_markdown
from switchover.operations.planning import ReleasePlan
from tasks.report import publish

PUBLISHED = "switchover.release.published"


@task(name="show-versions", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def show_versions(project: str, plan: ReleasePlan) -> None:
    """The plan, before the first effect."""
    notices = "".join(f"\n\n{notice}" for notice in plan.notices)
    publish(f"release plan {project}", plan_to_markdown(plan.versions) + notices)


@task(name="announce", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def announce_release(report: dict[str, Any]) -> None:
    """Emit one event for all that was published: a deployment can be triggered by it."""
    published = [
        {key: component[key] for key in ("name", "version", "kind", "digest", "tag")}
        for component in report["components"]
        if component["digest"]
    ]
    if not published:
        get_run_logger().info("Nothing to release: everything is published and tagged.")
        return
    emit_event(
        event=PUBLISHED,
        resource={
            "prefect.resource.id": f"switchover.project.{report['project']}",
            "prefect.resource.name": report["project"],
        },
        payload={"commit": report["commit"], "releases": published},
    )
