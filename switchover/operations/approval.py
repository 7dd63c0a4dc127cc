"""A person's word between the smoke tests and the first user. The ledger keeps question and answer."""

from __future__ import annotations

from switchover.decide.record import note_approval
from switchover.decide.rollout import Event
from switchover.errors import UnhealthyError
from switchover.model import Approval, EnvironmentRecord, Phase, Rollout
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, renew, swap
from switchover.operations.patience import Patience
from switchover.operations.rollout_record import enter, read_rollout

_LOOK_SECONDS = 1.0


def ask_approval(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Record that the tested release waits for a person; whoever looks at the environment sees it."""
    return enter(ports, claim, rollout, Phase.APPROVING, Event.APPROVAL_ASKED)


def answer_approval(
    ports: EnvironmentPorts,
    service: str,
    approval: Approval,
    *,
    rollout_id: str | None = None,
    version: str | None = None,
) -> Rollout | None:
    """Record a person's answer, the first one of all, to what was looked at (None: to whatever waits).

    Raises `InputError` when nobody was asked, or about another release by now.
    """

    def note(record: EnvironmentRecord) -> EnvironmentRecord:
        return note_approval(record, service, approval, rollout_id=rollout_id, version=version)

    return swap(ports, note).services[service].rollout


def await_approval(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, seconds: float) -> Rollout:
    """Wait for the answer in the ledger, `seconds` from the question on.

    Raises `UnhealthyError` when it is no or does not come, `FencedError` when somebody takes over.
    """
    patience = Patience(ports.clock)
    while True:
        with patience.looking():
            renew(ports, claim)
            rollout = read_rollout(ports, claim, rollout.service)
        if rollout.approval is not None:
            return require_approval(rollout, rollout.approval)
        if ports.clock.now() >= rollout.changed_at + seconds:
            raise _unapproved(rollout, f"nobody answered within {seconds:.0f} s")
        ports.clock.sleep(_LOOK_SECONDS)


def require_approval(rollout: Rollout, approval: Approval) -> Rollout:
    """The rollout if it was approved; raise `UnhealthyError` with who refused it and why otherwise."""
    if not approval.approved:
        why = f": {approval.comment}" if approval.comment else ""
        raise _unapproved(rollout, f"{approval.by} rejected it{why}")
    return rollout


def _unapproved(rollout: Rollout, found: str) -> UnhealthyError:
    return UnhealthyError(
        f"{rollout.service} {rollout.release.version} was not approved",
        expected="somebody to approve it before its first user",
        found=found,
        next_step=f"nothing: {rollout.old_version or 'the live colour'} went on serving; deploy again when it may",
    )
