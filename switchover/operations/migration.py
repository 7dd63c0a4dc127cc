"""Running the migrations of a rollout: before anything starts, and after the colour before is gone."""

from __future__ import annotations

from switchover.decide.rollback import ROLLBACK
from switchover.decide.rollout import Event
from switchover.errors import UnhealthyError
from switchover.model import Migration, MigrationStep, Phase, Reason, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, kept_alive
from switchover.operations.rollout_record import read_rollout, record_event


def run_migrations(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Run what comes before the start, in order. Repeating runs only what has not succeeded.

    Raises `UnhealthyError` for one that fails: nothing was started, the live colour was not touched.
    """
    for migration in rollout.migrations:
        rollout = read_rollout(ports, claim, rollout.service)
        if rollout.phase is Phase.PREPARING:
            rollout = record_event(ports, claim, rollout, Event.MIGRATION_DUE)
        _run(ports, claim, migration, rollout)
    return rollout


def contract(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> tuple[Reason, ...]:
    """Remove what only the release before needed; the reasons why that is still to be done, if it failed.

    The release is live and the old colour is gone by now: a contraction that fails takes nothing back. A release
    that was brought back contracts nothing: what came after it may have been taken back only in part.
    """
    if rollout.strategy == ROLLBACK or not rollout.workload.migrations.contract:
        return ()
    try:
        _run(ports, claim, Migration(MigrationStep.CONTRACT, rollout.release, rollout.workload), rollout)
    except UnhealthyError as error:
        return (Reason("contract-migration", f"{error.problem.failed}: {error.problem.found}; it is still to be done"),)
    return ()


def _run(ports: EnvironmentPorts, claim: Claim, migration: Migration, rollout: Rollout) -> None:
    seconds = migration.workload.migrations.timeout_seconds
    with kept_alive(ports, claim, longest_seconds=seconds + 120.0):
        ports.migrator.migrate(migration, rollout.id, epoch=claim.epoch)
