"""What stands behind the hooks: automations of the server, for a process that can run no hook any more.

Templates are Jinja, and a parameter that is one expression alone is made JSON first: an id must be turned into a
string in the template, or no rollback is started at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from prefect.automations import Automation, ChangeFlowRunState, EventTrigger, Posture, RunDeployment
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound

from switchover.errors import InputError

BAD_ENDS = frozenset({"prefect.flow-run.Crashed", "prefect.flow-run.Failed", "prefect.flow-run.TimedOut"})
CANCELLED = "prefect.flow-run.Cancelled"
HEARTBEAT = "prefect.flow-run.heartbeat"
HEARTBEAT_SECONDS = 30
"""How often a run says that it is alive; Prefect allows no less."""
SILENCE_SECONDS = 90
"""The silence after which a run counts as dead: three heartbeats."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """A flow whose bad end starts another one, which takes back what it has left behind.

    `what` is said in names, `parameters` are templates beyond those that every way back takes.
    """

    flow: str
    back: str
    what: str
    verb: str
    parameters: Mapping[str, str]


OF_DEPLOYMENT = WayBack(
    "deploy", "rollback", "deployment", "roll back", {"service": "{{ flow_run.parameters.get('service') }}"}
)
OF_FLAG = WayBack(
    "gradual-rollout", "take-flag-back", "flag rollout", "take back", {"flag": "{{ flow_run.parameters.get('flag') }}"}
)
EVERY_WAY = (OF_DEPLOYMENT, OF_FLAG)


def ensure_automations(
    environment: str, config: str, ways: Iterable[WayBack] = EVERY_WAY, silence_seconds: float = SILENCE_SECONDS
) -> tuple[str, ...]:
    """Create both automations of each way back, or bring them up to date by their names; return the names.

    `config` is the switchover.toml that is read when the failed run names none. Raises `InputError` when one of the
    deployments that they refer to is not there, for example `deploy/<environment>` and `rollback/<environment>`.
    """
    wanted = [each for way in ways for each in _plan_automations(way, environment, config, silence_seconds)]
    for automation in wanted:
        _ensure(automation)
    return tuple(automation.name for automation in wanted)


def _plan_automations(
    way: WayBack, environment: str, config: str, silence_seconds: float
) -> tuple[Automation, Automation]:
    watched, back = (read_deployment_id(f"{flow}/{environment}") for flow in (way.flow, way.back))
    return (
        plan_bad_end_automation(way, environment, watched, back, config),
        plan_silence_automation(way, environment, watched, silence_seconds),
    )


def plan_bad_end_automation(way: WayBack, environment: str, watched: UUID, back: UUID, config: str) -> Automation:
    """A run that ended badly starts the way back of that run, whether or not its hook has done it already."""
    default = config.replace("\\", "\\\\").replace("'", "\\'")
    return Automation(
        name=f"switchover {environment}: {way.verb} a {way.what} that ended badly",
        description="Stands behind the hooks of the flow: the process that runs them may be gone.",
        trigger=EventTrigger(
            expect={*BAD_ENDS, CANCELLED},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
            **_runs_of(watched),
        ),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=back,
                parameters={
                    **way.parameters,
                    "environment": "{{ flow_run.parameters.get('environment') }}",
                    "config": "{{ flow_run.parameters.get('config', '%s') }}" % default,  # noqa: UP031 - braces
                    "failed_run": "{{ flow_run.id | string }}",
                    "reason": f"the {way.what} ended as {{{{ flow_run.state.name }}}}: "
                    "{{ ((flow_run.state.message or '').strip() or 'no message').splitlines()[0] }}",
                },
            )
        ],
    )


def plan_silence_automation(way: WayBack, environment: str, watched: UUID, silence_seconds: float) -> Automation:
    """A run whose heartbeat stops is declared crashed, which starts the other automation."""
    return Automation(
        name=f"switchover {environment}: a {way.what} that went silent has crashed",
        description="Its process and its runner were killed, or their host is gone.",
        trigger=EventTrigger(
            # Heartbeats alone. A trigger that also expects states reads before it writes, which a busy SQLite refuses:
            # Prefect then drops the event, holds back whatever follows it for 15 minutes, and the other automation
            # hears nothing. A run that ended stays as it is: Prefect lets no ended run crash.
            after={HEARTBEAT},
            expect={HEARTBEAT},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence_seconds),
            **_runs_of(watched),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, name="Crashed", message=f"no heartbeat for {silence_seconds:.0f} s"
            )
        ],
    )


def read_deployment_id(name: str) -> UUID:
    """The id of the deployment `<flow>/<name>`; raise `InputError` when there is none."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(name).id
        except ObjectNotFound:
            raise InputError(
                f"there is no deployment {name}",
                expected="the deployments of prefect.yaml on this server",
                found="none of that name",
                next_step="run `make deployments`, or serve the flows with `python -m flows.serve`",
            ) from None


def _runs_of(watched: UUID) -> dict[str, Any]:
    # Heartbeats name the deployment by its id only, state changes by both: the id fits either.
    return {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {
            "prefect.resource.role": "deployment",
            "prefect.resource.id": f"prefect.deployment.{watched}",
        },
        "for_each": {"prefect.resource.id"},
    }


def _ensure(automation: Automation) -> None:
    try:
        known = cast("Automation", Automation.read(name=automation.name))  # a coroutine in async code only
    except ValueError:  # Prefect's word for an automation that is not there
        automation.create()
        return
    automation.id = known.id
    automation.update()
