"""What a release tells the Prefect server: the plan as a table, and the events that deployments wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from switchover.decide.components import DEPLOYED
from switchover.decide.plan_json import plan_to_markdown
from switchover.decide.release_message import list_released
from switchover.operations.planning import ReleasePlan
from tasks.report import publish

PUBLISHED = "switchover.release.published"
_TOLD = ("name", "version", "kind", "digest", "reference", "tag", "commit", "page")


@task(name="show-versions", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def show_versions(project: str, plan: ReleasePlan) -> None:
    """The plan, before the first effect."""
    notices = "".join(f"\n\n{notice}" for notice in plan.notices)
    publish(f"release plan {project}", plan_to_markdown(plan.versions) + notices)


@task(name="announce", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def announce_release(report: dict[str, Any]) -> None:
    """Emit one event for each component that was released: a deployment can be triggered by it. Never raises.

    The server's automations act once on an event, however often a release that was killed is repeated.
    """
    released = list_released(report)
    if not released:
        get_run_logger().info("Nothing was released.")
    for component in released:
        try:
            _emit(report["project"], component)
        except Exception as error:  # noqa: BLE001 whatever the server does, the release is out
            get_run_logger().warning("%s was not announced: %s", component["name"], type(error).__name__)


def _emit(project: str, component: Mapping[str, Any]) -> None:
    sort = "service" if component["kind"] in DEPLOYED else "package"
    name, version, commit = (component[key] for key in ("name", "version", "commit"))
    emit_event(
        event=PUBLISHED,
        resource={
            "prefect.resource.id": f"switchover.{sort}.{name}",
            "prefect.resource.name": name,
            "switchover.version": version,
        },
        related=[
            {
                "prefect.resource.id": f"switchover.project.{project}",
                "prefect.resource.role": "project",
                "prefect.resource.name": project,
            }
        ],
        payload={"project": project, **{key: component[key] for key in _TOLD}},
        id=uuid5(NAMESPACE_URL, f"{PUBLISHED}:{project}:{sort}:{name}:{version}:{commit}"),
    )
