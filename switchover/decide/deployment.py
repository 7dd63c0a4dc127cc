"""From what is asked and what is there to one plan of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from switchover.decide.strategy import choose_steps
from switchover.model import (
    Colour,
    EnvironmentRecord,
    JudgeSettings,
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


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """The whole deployment as a value: shown before the first effect, and where a dry run ends."""

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


def plan_deployment(request: DeployRequest, record: EnvironmentRecord) -> DeployPlan:
    """Bring the release to the idle colour, unless exactly this release and workload is live already."""
    service = record.services.get(request.release.service, ServiceRecord())
    live = service.live
    live_slot = service.slot(live) if live else Slot()
    live_version = live_slot.release.version if live_slot.release else None
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
    )


def _explain(request: DeployRequest, live: Colour | None, live_version: str | None, *, same: bool) -> str:
    name = f"{request.release.service} {request.release.version}"
    if same:
        return f"{name} is already live on {live} in {request.environment}"
    if live is None:
        return f"{name} is the first release in {request.environment}"
    return f"{name} follows {live_version}, which is live on {live}"
