"""Who may change an environment, and how every change is written: under the lease's epoch, by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread

from switchover.errors import BusyError, FencedError, LedgerConflictError, SwitchoverError
from switchover.model import EnvironmentRecord, Lease
from switchover.operations.environment import EnvironmentPorts

_ATTEMPTS = 50
_LONGEST_EFFECT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to change an environment: valid as long as no higher epoch is in the ledger."""

    holder: str
    epoch: int
    lease_seconds: float


def is_abandoned(record: EnvironmentRecord, now: float) -> bool:
    """Whether a rollout is in flight that nobody holds a valid lease for."""
    in_flight = any(service.rollout for service in record.services.values())
    return in_flight and (record.lease is None or record.lease.expires_at <= now)


def acquire(ports: EnvironmentPorts, holder: str, lease_seconds: float) -> Claim:
    """Take the free environment; raise `BusyError` naming who has it otherwise.

    An abandoned rollout counts as 'not free' too: the caller ends it first (`operations.recovery`).
    """

    def take(record: EnvironmentRecord) -> EnvironmentRecord:
        now = ports.clock.now()
        if (record.lease and record.lease.expires_at > now) or is_abandoned(record, now):
            raise _busy(ports.name, record, now)
        return _leased(record, holder, now + lease_seconds)

    record = swap(ports, take)
    return Claim(holder, record.epoch, lease_seconds)


def take_over(
    ports: EnvironmentPorts, holder: str, lease_seconds: float, needed: Callable[[EnvironmentRecord], bool]
) -> Claim | None:
    """Take the environment from whoever has it: from now on the older epoch's changes are refused.

    Only where the record of that very moment says that it is `needed`; None, and nothing taken, where it is not.
    """
    while needed(record := ports.ledger.read()):
        try:
            taken = ports.ledger.write(_leased(record, holder, ports.clock.now() + lease_seconds))
        except LedgerConflictError:
            continue
        return Claim(holder, taken.epoch, lease_seconds)
    return None


def amend(
    ports: EnvironmentPorts,
    claim: Claim,
    change: Callable[[EnvironmentRecord], EnvironmentRecord],
    *,
    then_free: bool = False,
) -> EnvironmentRecord:
    """Write a change under the claim, which renews the lease with it, or gives the environment free.

    Raises `FencedError` when the claim is no longer the highest.
    """

    def under_claim(record: EnvironmentRecord) -> EnvironmentRecord:
        check_claim(record, claim)
        lease = None if then_free else Lease(claim.holder, claim.epoch, ports.clock.now() + claim.lease_seconds)
        return replace(change(record), lease=lease)

    return swap(ports, under_claim)


def renew(ports: EnvironmentPorts, claim: Claim) -> None:
    """Say that the holder is alive; raise `FencedError` when somebody took over. Written only when it matters."""
    record = ports.ledger.read()
    check_claim(record, claim)
    if record.lease is None or record.lease.expires_at - ports.clock.now() < claim.lease_seconds * 0.8:
        amend(ports, claim, lambda unchanged: unchanged)


@contextmanager
def kept_alive(
    ports: EnvironmentPorts, claim: Claim, longest_seconds: float = _LONGEST_EFFECT_SECONDS
) -> Iterator[None]:
    """Renew the lease beside one effect that may take longer than it, for `longest_seconds` at the most.

    Without it a slow start or a long drain would look like a dead deployer. When somebody has taken over, the
    effect's own fence says so.
    """
    ended = Event()
    rounds = int(longest_seconds / (claim.lease_seconds / 3))

    def renew_on() -> None:
        for _ in range(rounds):
            if ended.wait(claim.lease_seconds / 3):
                return
            try:
                renew(ports, claim)
            except FencedError:
                return
            except SwitchoverError:
                continue  # a target that is away for a moment: the next round is in time

    thread = Thread(target=renew_on, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def release(ports: EnvironmentPorts, claim: Claim) -> None:
    """Give the environment free. Somebody else's lease is left alone."""

    def free(record: EnvironmentRecord) -> EnvironmentRecord:
        return replace(record, lease=None) if record.epoch == claim.epoch else record

    swap(ports, free)


def swap(ports: EnvironmentPorts, change: Callable[[EnvironmentRecord], EnvironmentRecord]) -> EnvironmentRecord:
    """Read, change, write; again from the start when somebody else wrote in between.

    Without a claim only for what is no change of the environment: a person's answer.
    """
    for _ in range(_ATTEMPTS):
        try:
            return ports.ledger.write(change(ports.ledger.read()))
        except LedgerConflictError:
            continue
    return ports.ledger.write(change(ports.ledger.read()))


def _leased(record: EnvironmentRecord, holder: str, expires_at: float) -> EnvironmentRecord:
    epoch = record.epoch + 1
    return replace(record, epoch=epoch, lease=Lease(holder, epoch, expires_at))


def check_claim(record: EnvironmentRecord, claim: Claim) -> None:
    """Raise `FencedError` unless the claim's epoch is still the highest."""
    if record.epoch != claim.epoch:
        raise FencedError(
            f"{claim.holder} no longer owns {record.environment}",
            expected="nobody else to take it over meanwhile",
            found=f"{record.lease.holder if record.lease else 'a rollback'} did (epoch {record.epoch})",
            next_step="nothing; whoever took over brings the environment to one colour (see `switchover history`)",
        )


def _busy(environment: str, record: EnvironmentRecord, now: float) -> BusyError:
    rollouts = [service.rollout for service in record.services.values() if service.rollout]
    doing = ", ".join(f"{rollout.service} {rollout.release.version} is {rollout.phase}" for rollout in rollouts)
    lease = record.lease
    if lease and lease.expires_at > now:
        found = f"{lease.holder} has it and renews its lease while it works"
    else:
        found = "its deployer is gone"
    return BusyError(
        f"{environment} is busy",
        expected="no other deployment in this environment",
        found=f"{found} ({doing or 'nothing in flight yet'})",
        next_step="wait for it (`switchover status`), or end it with `switchover rollback`",
    )
