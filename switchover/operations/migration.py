"""Running the migrations of a rollout: before anything starts, and after the colour before is gone."""

from __future__ import annotations

from switchover.decide.record import note_contracting
from switchover.decide.rollback import ROLLBACK, UNCONTRACTED
from switchover.decide.rollout import Event
from switchover.errors import FencedError, SwitchoverError, TargetError
from switchover.model import Migration, MigrationStep, Phase, Reason, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend, kept_alive
from switchover.operations.rollout_record import read_rollout, record_event

_ATTEMPTS = 3
_PAUSE_SECONDS = 2.0


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

    The release is live and the old colour is gone by now: whatever keeps a contraction from running takes nothing
    back and keeps no rollout open. A release that was brought back contracts nothing: what came after it may have
    been taken back only in part. Raises `FencedError` only.
    """
    if not is_contracted(rollout):
        return ()
    migration = Migration(MigrationStep.CONTRACT, rollout.release, rollout.workload)
    amend(ports, claim, lambda record: note_contracting(record, rollout.service))
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _run(ports, claim, migration, rollout)
        except FencedError:
            raise
        except TargetError as error:
            if attempt == _ATTEMPTS:
                return (_still_to_be_done(error),)
            ports.clock.sleep(_PAUSE_SECONDS)
        except SwitchoverError as error:
            return (_still_to_be_done(error),)
        else:
            break
    return ()


def leave_uncontracted(rollout: Rollout) -> tuple[Reason, ...]:
    """The reason that stands in the history of a release which is rolled back before it contracted anything."""
    if not is_contracted(rollout) or rollout.contracting:
        return ()
    return (Reason(UNCONTRACTED, "its contract migration was not run, because it was rolled back"),)


def is_contracted(rollout: Rollout) -> bool:
    """Whether a contract migration belongs to the end of this rollout."""
    return rollout.strategy != ROLLBACK and bool(rollout.workload.migrations.contract)


def _still_to_be_done(error: SwitchoverError) -> Reason:
    return Reason(UNCONTRACTED, f"{error.problem.failed}: {error.problem.found}; it is still to be done")


def _run(ports: EnvironmentPorts, claim: Claim, migration: Migration, rollout: Rollout) -> None:
    seconds = migration.workload.migrations.timeout_seconds
    with kept_alive(ports, claim, longest_seconds=seconds + 120.0):
        ports.migrator.migrate(migration, rollout.id, epoch=claim.epoch)
