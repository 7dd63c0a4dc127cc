"""From what is asked and what is there to one plan of a deployment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from switchover.decide.live import Live
from switchover.decide.strategy import choose_steps
from switchover.model import (
    Colour,
    EnvironmentRecord,
    JudgeSettings,
    Migration,
    MigrationStep,
    Release,
    ServiceRecord,
    Slot,
    SmokeTest,
    Step,
    Workload,
)


class Action(StrEnum):
    """Whether there is anything to do."""

    ROLL_OUT = "roll out"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What the user asks for, with the configuration looked up. Times in seconds."""

    environment: str
    release: Release
    workload: Workload
    strategy: str
    own_steps: tuple[Step, ...] | None
    hold_seconds: float
    bake_seconds: float
    lease_seconds: float
    smoke_tests: tuple[SmokeTest, ...]
    judge: JudgeSettings
    approval_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """The whole deployment as a value: shown before the first effect, and where a dry run ends.

    `migrations` run first. `approval_seconds` None: nobody is asked. `adopts`: the live colour is one that the ledger
    does not know yet.
    """

    action: Action
    environment: str
    release: Release
    workload: Workload
    new_colour: Colour
    old_colour: Colour | None
    old_version: str | None
    strategy: str
    steps: tuple[Step, ...]
    bake_seconds: float
    lease_seconds: float
    smoke_tests: tuple[SmokeTest, ...]
    judge: JudgeSettings
    reason: str
    migrations: tuple[Migration, ...] = ()
    approval_seconds: float | None = None
    adopts: bool = False


def plan_deployment(request: DeployRequest, record: EnvironmentRecord, found: Live) -> DeployPlan:
    """Bring the release to the colour that is idle by what was `found`, unless it is live already, exactly so."""
    service = record.services.get(request.release.service, ServiceRecord())
    live, live_version = found.colour, found.version
    live_slot = service.slot(live) if live else Slot()
    # With a rollout in flight there is something to do about it first: the claim says what.
    same = live_slot == Slot(request.release, request.workload) and service.rollout is None
    steps = choose_steps(
        request.strategy,
        hold_seconds=request.hold_seconds,
        own_steps=request.own_steps,
        has_live=live is not None,
    )
    return DeployPlan(
        action=Action.NOTHING if same else Action.ROLL_OUT,
        environment=request.environment,
        release=request.release,
        workload=request.workload,
        new_colour=live.other if live else Colour.BLUE,
        old_colour=live,
        old_version=live_version,
        strategy=request.strategy,
        steps=() if same else steps,
        bake_seconds=request.bake_seconds if live else 0.0,
        lease_seconds=request.lease_seconds,
        smoke_tests=request.smoke_tests,
        judge=request.judge,
        reason=_explain(request, live, live_version, same=same),
        migrations=() if same else plan_expansion(request.release, request.workload),
        approval_seconds=request.approval_seconds if live else None,
        adopts=live is not None and service.live is None,
    )


def choose_size(workload: Workload, live_replicas: int) -> Workload:
    """The workload at the full size of the live colour, where an autoscaler may have made that larger."""
    if workload.max_replicas is None:
        return workload
    return replace(workload, replicas=max(workload.replicas, min(live_replicas, workload.max_replicas)))


def plan_expansion(release: Release, workload: Workload) -> tuple[Migration, ...]:
    """What is migrated before this release starts."""
    return (Migration(MigrationStep.EXPAND, release, workload),) if workload.migrations.expand else ()


def _explain(request: DeployRequest, live: Colour | None, live_version: str | None, *, same: bool) -> str:
    name = f"{request.release.service} {request.release.version}"
    if same:
        return f"{name} is already live on {live} in {request.environment}"
    if live is None:
        return f"{name} is the first release in {request.environment}"
    return f"{name} follows {live_version or 'a version that the ledger does not know'}, which is live on {live}"
