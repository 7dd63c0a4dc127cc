"""The steps of a deployment on ports. Each writes its intent, has its effect, and may be repeated."""

from __future__ import annotations

from switchover.decide.deployment import DeployPlan
from switchover.decide.record import apply_event, begin_rollout
from switchover.decide.rollback import DEPLOY
from switchover.decide.rollout import Event
from switchover.errors import InputError, UnhealthyError
from switchover.model import (
    EnvironmentRecord,
    HistoryEntry,
    Phase,
    ProbeResult,
    Reason,
    Rollout,
    Route,
    SlotStatus,
    SmokeTest,
)
from switchover.operations.closing import close_rollout, find_closed
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend, check_claim, kept_alive, release, renew
from switchover.operations.route import give, retire

_READY_POLL_SECONDS = 0.2
_RESTARTS_THAT_ARE_A_LOOP = 2


def begin(
    ports: EnvironmentPorts,
    claim: Claim,
    plan: DeployPlan,
    *,
    rollout_id: str,
    flow_run_id: str | None,
    reasons: tuple[Reason, ...] = (),
) -> Rollout:
    """Write the rollout into the ledger. Nothing has happened yet. Repeating it with the same id is a no-op."""
    now = ports.clock.now()

    def put(record: EnvironmentRecord) -> EnvironmentRecord:
        service = record.services.get(plan.release.service)
        if service and service.rollout and service.rollout.id == rollout_id:
            return record
        return begin_rollout(plan, record, rollout_id=rollout_id, now=now, flow_run_id=flow_run_id, reasons=reasons)

    try:
        return _rollout_in(amend(ports, claim, put), plan.release.service)
    except InputError:
        release(ports, claim)  # nothing was begun: the next one need not wait for the lease to run out
        raise


def start_slot(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Start the release in the idle colour, with no traffic."""
    rollout = _enter(ports, claim, rollout, Phase.STARTING, Event.PREPARED)
    with kept_alive(ports, claim):
        ports.slots.start(rollout.release, rollout.new_colour, rollout.workload, epoch=claim.epoch)
    return rollout


def await_ready(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Wait until every replica answers; raise `UnhealthyError` as soon as it is plain that they will not."""
    deadline = ports.clock.now() + rollout.workload.ready_seconds
    while True:
        renew(ports, claim)
        status = ports.slots.read_status(rollout.service, rollout.new_colour)
        if status.ready:
            return _enter(ports, claim, rollout, Phase.TESTING, Event.READY)
        late = ports.clock.now() >= deadline
        if late or len(status.restart_times) >= _RESTARTS_THAT_ARE_A_LOOP:
            raise _never_ready(ports, rollout, status, late=late)
        ports.clock.sleep(_READY_POLL_SECONDS)


def run_smoke_tests(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, tests: tuple[SmokeTest, ...]
) -> tuple[ProbeResult, ...]:
    """Check every replica of the idle colour past the router; raise `UnhealthyError` naming what failed."""
    addresses = ports.slots.read_status(rollout.service, rollout.new_colour).addresses
    results = probe_all(ports, claim, addresses, tests)
    failed = [result for result in results if not result.passed]
    if failed:
        raise UnhealthyError(
            f"{rollout.service} {rollout.release.version} failed {len(failed)} of {len(results)} smoke tests",
            expected="every smoke test to pass on every replica before the first user",
            found="; ".join(f"{result.name}: {result.detail}" for result in failed[:3]),
            next_step="no user was sent there; correct the release and deploy the next version",
        )
    return results


def probe_all(
    ports: EnvironmentPorts, claim: Claim, addresses: tuple[str, ...], tests: tuple[SmokeTest, ...]
) -> tuple[ProbeResult, ...]:
    """Every test on every address, whatever the others say."""
    results = []
    for address in addresses:
        for test in tests:
            with kept_alive(ports, claim):
                results.append(ports.prober.probe(address, test))
    return tuple(results)


def shift(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, canary_percent: int) -> Rollout:
    """Give the new colour its share. Done when the router accepted it and the data plane shows it."""
    rollout = read_rollout(ports, claim, rollout.service)
    event = Event.TESTS_PASSED if rollout.phase is Phase.TESTING else Event.STEP_PASSED
    if not (rollout.phase is Phase.SHIFTING and rollout.canary_percent == canary_percent):
        rollout = _record(ports, claim, rollout, event, canary_percent=canary_percent)
    give(ports, claim, rollout.service, Route.giving(rollout.new_colour, canary_percent))
    return rollout


def begin_bake(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """All traffic is on the new colour; the old one stays warm."""
    return _enter(ports, claim, rollout, Phase.BAKING, Event.FULLY_SHIFTED)


def commit(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """The new colour is live from here on: what goes wrong now is finished forwards."""
    return _enter(ports, claim, rollout, Phase.FINALIZING, Event.BAKED)


def finalize(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, *, kind: str = DEPLOY) -> HistoryEntry:
    """Drain and stop the old colour, and close the rollout as live."""
    closed = find_closed(ports, rollout.service, rollout.id)
    if closed:
        return closed
    give(ports, claim, rollout.service, Route.giving(rollout.new_colour, 100))
    retire(ports, claim, rollout, rollout.new_colour.other)
    return close_rollout(ports, claim, rollout, Event.FINALIZED, kind=kind)


def read_rollout(ports: EnvironmentPorts, claim: Claim, service: str) -> Rollout:
    """The rollout as the ledger has it now; raise `FencedError` when it is no longer the claim's."""
    record = ports.ledger.read()
    check_claim(record, claim)
    return _rollout_in(record, service)


def _enter(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, phase: Phase, event: Event) -> Rollout:
    """Record the event that leads to `phase`, unless the rollout is there already (a repeated step)."""
    current = read_rollout(ports, claim, rollout.service)
    return current if current.phase is phase else _record(ports, claim, rollout, event)


def _record(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, event: Event, *, canary_percent: int | None = None
) -> Rollout:
    def change(record: EnvironmentRecord) -> EnvironmentRecord:
        return apply_event(record, rollout.service, event, now=ports.clock.now(), canary_percent=canary_percent)

    return _rollout_in(amend(ports, claim, change), rollout.service)


def _rollout_in(record: EnvironmentRecord, service: str) -> Rollout:
    rollout = record.services[service].rollout
    if rollout is None:
        msg = f"the rollout of {service} is gone from the ledger"
        raise ValueError(msg)
    return rollout


def _never_ready(ports: EnvironmentPorts, rollout: Rollout, status: SlotStatus, *, late: bool) -> UnhealthyError:
    log = ports.slots.read_log_tail(rollout.service, rollout.new_colour, 3)
    why = f"after {rollout.workload.ready_seconds:.0f} s" if late else "they keep ending"
    return UnhealthyError(
        f"{rollout.service} {rollout.release.version} never became ready",
        expected=f"{status.wanted_replicas} replicas that answer {rollout.workload.health_path} with 200",
        found=f"{status.ready_replicas} ready, {why}; {status.detail or 'no word from them'}; log: "
        + (" | ".join(log) or "empty"),
        next_step="no user was sent there; correct the release and deploy the next version",
    )
