"""Valid values by default; a test changes the one thing that it is about."""

from __future__ import annotations

from dataclasses import replace

from switchover.decide.deployment import Action, DeployPlan
from switchover.decide.record import begin_rollout
from switchover.model import (
    Artifact,
    Colour,
    EnvironmentRecord,
    HistoryEntry,
    JudgeSettings,
    Release,
    Rollout,
    Route,
    ServiceRecord,
    Slot,
    Step,
    Workload,
)

WORKLOAD = Workload(command=("python3", "-m", "shop"), replicas=2, health_path="/healthz")


def a_release(version: str = "1.1.0", service: str = "shop") -> Release:
    digest = "sha256:" + f"{abs(hash((service, version))):064x}"[:64]
    return Release(service, version, Artifact(service, version, "service", digest, 1000), "0" * 40)


def a_live_record(version: str = "1.0.0", colour: Colour = Colour.BLUE) -> EnvironmentRecord:
    """`version` live on `colour`, nothing in flight."""
    slot = Slot(a_release(version), WORKLOAD)
    blue, green = (slot, Slot()) if colour is Colour.BLUE else (Slot(), slot)
    service = ServiceRecord(live=colour, blue=blue, green=green, route=Route.giving(colour, 100))
    return EnvironmentRecord("production", revision=3, epoch=3, services={"shop": service})


def a_plan(record: EnvironmentRecord, version: str = "1.1.0", strategy: str = "canary-10") -> DeployPlan:
    """A canary-10 of `version` against what the record says is live."""
    service = record.services.get("shop", ServiceRecord())
    old = service.slot(service.live).release if service.live else None
    return DeployPlan(
        action=Action.ROLL_OUT,
        environment=record.environment,
        release=a_release(version),
        workload=WORKLOAD,
        new_colour=service.live.other if service.live else Colour.BLUE,
        old_colour=service.live,
        old_version=old.version if old else None,
        strategy=strategy,
        steps=(Step(10, 5.0), Step(50, 5.0), Step(100, 0.0)),
        bake_seconds=5.0,
        lease_seconds=15.0,
        smoke_tests=(),
        judge=JudgeSettings(),
        reason="because",
    )


def a_begun_record(record: EnvironmentRecord | None = None, version: str = "1.1.0") -> EnvironmentRecord:
    """A rollout of `version` just written into the record."""
    record = a_live_record() if record is None else record
    return begin_rollout(a_plan(record, version), record, rollout_id=f"run-{version}", now=100.0, flow_run_id="run-1")


def the_rollout(record: EnvironmentRecord) -> Rollout:
    rollout = record.services["shop"].rollout
    assert rollout is not None
    return rollout


def an_entry(version: str, *, kind: str = "deploy", outcome: str = "live", ended_at: float = 0.0) -> HistoryEntry:
    return HistoryEntry(
        id=f"{kind}-{version}-{ended_at}",
        service="shop",
        kind=kind,
        from_version=None,
        to_version=version,
        release=a_release(version),
        workload=WORKLOAD,
        strategy="instant",
        outcome=outcome,
        reasons=(),
        started_at=ended_at - 1,
        ended_at=ended_at,
        epoch=1,
    )


def a_history(*versions: str) -> tuple[HistoryEntry, ...]:
    """Deployments that all went live, given oldest first, returned newest first."""
    entries = [an_entry(version, ended_at=float(index)) for index, version in enumerate(versions)]
    return tuple(reversed(entries))


def with_service(record: EnvironmentRecord, **changes: object) -> EnvironmentRecord:
    service = replace(record.services["shop"], **changes)  # type: ignore[arg-type]
    return replace(record, services={"shop": service})
