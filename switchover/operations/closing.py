"""The end of a rollout, whoever brings it about: history first, then the record, then the people."""

from __future__ import annotations

from switchover.decide.record import apply_event, history_of
from switchover.decide.rollout import Event, advance
from switchover.model import EnvironmentRecord, HistoryEntry, Reason, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend

_FAR_ENOUGH = 20


def close_rollout(
    ports: EnvironmentPorts,
    claim: Claim,
    rollout: Rollout,
    event: Event,
    *,
    kind: str,
    reasons: tuple[Reason, ...] = (),
) -> HistoryEntry:
    """End `rollout` with `event`, give the environment free in the same write, and tell people.

    The history is written before the rollout leaves the record: killed in between, whoever recovers writes the
    same entry again under the same id.
    """
    now = ports.clock.now()
    ended = advance(rollout, event, now=now, reasons=reasons)
    entry = history_of(ended, kind=kind, ended_at=now)
    ports.ledger.append_history(entry)

    def close(record: EnvironmentRecord) -> EnvironmentRecord:
        return apply_event(record, rollout.service, event, now=now, reasons=reasons)

    amend(ports, claim, close, then_free=True)
    ports.notifier.tell(ports.name, entry)
    return entry


def find_closed(ports: EnvironmentPorts, service: str, rollout_id: str | None) -> HistoryEntry | None:
    """The entry of a rollout that has ended already: a repeated end finds its own work done."""
    current = ports.ledger.read().services[service].rollout
    if current is not None and current.id == rollout_id:
        return None
    history = ports.ledger.read_history(service, _FAR_ENOUGH)
    return next((entry for entry in history if entry.id == rollout_id), None)
