"""What to do to bring a service back, from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from switchover.errors import InputError
from switchover.model import (
    Colour,
    HistoryEntry,
    Migration,
    MigrationStep,
    Phase,
    Reason,
    Release,
    ServiceRecord,
    Slot,
    Workload,
)

DEPLOY = "deploy"
ROLLBACK = "rollback"
UNCONTRACTED = "contract-migration"
"""The rule of the reason that a release's contract migration has not done its work."""


class Way(StrEnum):
    """The four ways a rollback can go."""

    NOTHING = "nothing to do"
    RETREAT = "back to the warm colour"
    FINISH = "finish the committed rollout"
    REDEPLOY = "redeploy from the ledger"


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """One rollback as a value.

    `serve` is the colour that has all the traffic afterwards (None: nothing was ever live), `empty` the one
    where nothing runs any more. `release` and `workload` are given when `serve` must be started first,
    `rollout_id` when a rollout in flight is ended. `migrations` run before `serve` is started; `irreversible` names
    the versions whose migrations cannot be taken back.
    """

    way: Way
    service: str
    serve: Colour | None
    serve_version: str | None
    empty: Colour | None
    release: Release | None
    workload: Workload | None
    reason: str
    rollout_id: str | None = None
    migrations: tuple[Migration, ...] = ()
    irreversible: tuple[str, ...] = ()


def plan_recovery(service_name: str, service: ServiceRecord) -> RollbackPlan:
    """Which way the rollout in flight is brought to its end: forwards once it is committed, else back."""
    rollout = service.rollout
    if rollout is None:
        version = _version_on(service, service.live)
        return _without_effects(service_name, service, version, "no rollout is in flight")
    if rollout.phase is Phase.FINALIZING:
        return RollbackPlan(
            Way.FINISH,
            service_name,
            serve=rollout.new_colour,
            serve_version=rollout.release.version,
            empty=rollout.new_colour.other,
            release=None,
            workload=None,
            reason=f"{rollout.release.version} was already committed as live on {rollout.new_colour}",
            rollout_id=rollout.id,
        )
    return RollbackPlan(
        Way.RETREAT,
        service_name,
        serve=rollout.old_colour,
        serve_version=rollout.old_version,
        empty=rollout.new_colour,
        release=None,
        workload=None,
        reason=f"{rollout.release.version} was {rollout.phase} at {rollout.canary_percent} % on {rollout.new_colour}",
        rollout_id=rollout.id,
    )


def plan_rollback(
    service_name: str, service: ServiceRecord, history: tuple[HistoryEntry, ...], version: str | None
) -> RollbackPlan:
    """How to get back to `version`, or to the release before when it is None.

    A rollout in flight is always ended first: the caller applies that plan and asks again if the version it
    wanted is another one. `history` is newest first. Raises `InputError` when there is nothing to go back to
    or the version was never live here.
    """
    if service.rollout is not None:
        if version not in (None, service.rollout.old_version):
            _choose_entry(service_name, service, history, version)
        return plan_recovery(service_name, service)
    live_version = _version_on(service, service.live)
    if version is not None and version == live_version:
        return _without_effects(service_name, service, version, f"{version} is live already")
    entry = _choose_entry(service_name, service, history, version)
    serve = service.live.other if service.live else Colour.BLUE
    undone = _find_undone(history, entry)
    return RollbackPlan(
        Way.REDEPLOY,
        service_name,
        serve=serve,
        serve_version=entry.to_version,
        empty=service.live,
        release=entry.release,
        workload=entry.workload,
        reason=f"{entry.to_version} was live before; its artifact is {_short_digest(entry)}",
        migrations=_plan_migrations(undone, entry),
        irreversible=tuple(str(each.to_version) for each in undone or () if _is_irreversible(each)),
    )


def still_holds(plan: RollbackPlan, now: RollbackPlan) -> bool:
    """Whether what is planned `now` is the same way back; how far the rollout has come meanwhile is no matter."""
    return replace(plan, reason="") == replace(now, reason="")


def rollback_reason(reason: str) -> Reason:
    """The reason that a person or a hook gives for a rollback."""
    return Reason("rollback", reason)


def _choose_entry(
    service_name: str, service: ServiceRecord, history: tuple[HistoryEntry, ...], version: str | None
) -> HistoryEntry:
    live = service.slot(service.live) if service.live else Slot()
    was_live = [entry for entry in history if entry.outcome == Phase.LIVE.value and _what_ran(entry) != live]
    if version is not None:
        chosen = next((entry for entry in was_live if entry.to_version == version), None)
    else:
        chosen = next((entry for entry in reversed(_lineage(history)) if _what_ran(entry) != live), None)
    if chosen is not None:
        return chosen
    live_version = live.release.version if live.release else "nothing"
    known = ", ".join(dict.fromkeys(str(entry.to_version) for entry in was_live)) or "none"
    raise InputError(
        f"cannot roll {service_name} back" + (f" to {version}" if version else ""),
        expected="a version that was live here before",
        found=f"live now: {live_version}; live before: {known}",
        next_step="name one of those versions, or deploy the version you want"
        if was_live
        else "deploy a version; there is nothing to go back to",
    )


def _lineage(history: tuple[HistoryEntry, ...]) -> list[HistoryEntry]:
    """The releases that led to the live one, oldest first.

    A rollback takes what it rolled back out again, so that rolling back twice goes two releases back and
    never returns to the bad one. The same version with another workload is another release here: a bad change
    of the configuration can be rolled back too.
    """
    lineage: list[HistoryEntry] = []
    for entry in reversed(history):
        if entry.outcome != Phase.LIVE.value:
            continue
        ran = [_what_ran(earlier) for earlier in lineage]
        if entry.kind == ROLLBACK and _what_ran(entry) in ran:
            del lineage[ran.index(_what_ran(entry)) + 1 :]
        else:
            lineage.append(entry)
    return lineage


def _find_undone(history: tuple[HistoryEntry, ...], chosen: HistoryEntry) -> list[HistoryEntry] | None:
    """The releases that going back to `chosen` undoes, newest first; None when it did not lead to the live one."""
    lineage = _lineage(history)
    ran = [_what_ran(entry) for entry in lineage]
    return lineage[ran.index(_what_ran(chosen)) + 1 :][::-1] if _what_ran(chosen) in ran else None


def _plan_migrations(undone: list[HistoryEntry] | None, chosen: HistoryEntry) -> tuple[Migration, ...]:
    """Down through what is undone; or up again to a release whose own migrations were taken back before."""
    if undone is None:
        up = chosen.workload and chosen.workload.migrations.expand
        return (_migration(MigrationStep.EXPAND, chosen),) if up else ()
    return tuple(
        _migration(MigrationStep.DOWN, entry) for entry in undone if entry.workload and entry.workload.migrations.down
    )


def _is_irreversible(entry: HistoryEntry) -> bool:
    declared = entry.workload is not None and entry.workload.migrations.irreversible
    return declared and not any(reason.rule == UNCONTRACTED for reason in entry.reasons)


def _migration(step: MigrationStep, entry: HistoryEntry) -> Migration:
    if entry.release is None or entry.workload is None:
        msg = "a release that was live has its release and workload in the history"
        raise ValueError(msg)
    return Migration(step, entry.release, entry.workload)


def _what_ran(entry: HistoryEntry) -> Slot:
    return Slot(entry.release, entry.workload)


def _version_on(service: ServiceRecord, colour: Colour | None) -> str | None:
    release = service.slot(colour).release if colour else None
    return release.version if release else None


def _without_effects(service_name: str, service: ServiceRecord, version: str | None, reason: str) -> RollbackPlan:
    return RollbackPlan(
        Way.NOTHING,
        service_name,
        serve=service.live,
        serve_version=version,
        empty=None,
        release=None,
        workload=None,
        reason=reason,
    )


def _short_digest(entry: HistoryEntry) -> str:
    return entry.release.artifact.digest[:19] if entry.release else "unknown"
