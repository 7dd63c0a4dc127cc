"""The end of a rollout, whoever brings it about: history first, then the record, then the people."""

from __future__ import annotations

from switchover.decide.record import apply_event, history_of
from switchover.decide.rollout import Event, advance
from switchover.model import EnvironmentRecord, HistoryEntry, Reason, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend, release


def close_rollout(
    ports: EnvironmentPorts,
    claim: Claim,
    rollout: Rollout,
    event: Event,
    *,
    kind: str,
    reasons: tuple[Reason, ...] = (),
) -> HistoryEntry:
    """End `rollout` with `event`, give the environment free and tell people.

    The history is written before the rollout leaves the record: killed in between, whoever recovers writes the
    same entry again under the same id.
    """
    now = ports.clock.now()
    ended = advance(rollout, event, now=now, reasons=reasons)
    entry = history_of(ended, kind=kind, ended_at=now)
    ports.ledger.append_history(entry)

    def close(record: EnvironmentRecord) -> EnvironmentRecord:
        return apply_event(record, rollout.service, event, now=now, reasons=reasons)

    amend(ports, claim, close)
    release(ports, claim)
    ports.notifier.tell(ports.name, entry)
    return entry
