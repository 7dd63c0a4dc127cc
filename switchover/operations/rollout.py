"""The steps of a deployment on ports. Each writes its intent, has its effect, and may be repeated."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.decide.deployment import DeployPlan, choose_size
from switchover.decide.record import begin_rollout
from switchover.decide.rollback import DEPLOY, ROLLBACK
from switchover.decide.rollout import Event
from switchover.errors import InputError, UnhealthyError
from switchover.model import (
    Colour,
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
from switchover.operations.lease import Claim, amend, kept_alive, release, renew
from switchover.operations.migration import contract, leave_uncontracted
from switchover.operations.patience import Patience
from switchover.operations.rollout_record import enter, read_rollout, record_event, rollout_in
from switchover.operations.route import free_size, give, give_back, retire

_READY_POLL_SECONDS = 0.2
_RESTARTS_THAT_ARE_A_LOOP = 2
_STEPS_FROM = {Phase.TESTING: Event.TESTS_PASSED, Phase.APPROVING: Event.APPROVED}


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
        return rollout_in(amend(ports, claim, put), plan.release.service)
    except InputError:
        release(ports, claim)  # nothing was begun: the next one need not wait for the lease to run out
        raise


def start_slot(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Start the release in the idle colour, at the full size of the live one, with no traffic.

    Neither gets smaller from here to the end of the rollout: each may have to take all of the traffic at once.
    """
    migrated = read_rollout(ports, claim, rollout.service).phase is Phase.MIGRATING
    rollout = enter(ports, claim, rollout, Phase.STARTING, Event.MIGRATED if migrated else Event.PREPARED)
    service, old = rollout.service, rollout.old_colour
    with kept_alive(ports, claim):
        live_replicas = 0
        if old is not None:
            ports.slots.hold_size(service, old, epoch=claim.epoch)
            live_replicas = ports.slots.read_status(service, old).wanted_replicas
        sized = choose_size(rollout.workload, live_replicas)
        ports.slots.start(rollout.release, rollout.new_colour, sized, epoch=claim.epoch)
    return rollout


def await_ready(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """Wait until every replica answers; raise `UnhealthyError` as soon as it is plain that they will not."""
    _await_replicas(ports, claim, rollout)
    return enter(ports, claim, rollout, Phase.TESTING, Event.READY)


def _await_replicas(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> None:
    deadline = ports.clock.now() + rollout.workload.ready_seconds
    # A cluster says itself when a container crashes in a loop, and is asked less often.
    on_cluster = rollout.workload.manifest is not None
    patience = Patience(ports.clock)
    while True:
        status: SlotStatus | None = None
        with patience.looking():
            renew(ports, claim)
            status = ports.slots.read_status(rollout.service, rollout.new_colour)
        if status is not None and status.ready:
            return
        late = ports.clock.now() >= deadline
        loops = not on_cluster and status is not None and len(status.restart_times) >= _RESTARTS_THAT_ARE_A_LOOP
        if status is not None and (late or status.blocked or loops):
            raise _never_ready(ports, rollout, status, late=late)
        ports.clock.sleep(_READY_POLL_SECONDS * (3 if on_cluster else 1))


def run_smoke_tests(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, tests: tuple[SmokeTest, ...]
) -> tuple[ProbeResult, ...]:
    """Check every replica of the idle colour past the router; raise `UnhealthyError` naming what failed."""
    status = ports.slots.read_status(rollout.service, rollout.new_colour)
    if tests and not status.addresses:
        raise _never_ready(ports, rollout, status, late=False)
    results = probe_all(ports, claim, status.addresses, tests)
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


def shift(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, canary_percent: int
) -> tuple[Rollout, Mapping[Colour, int]]:
    """Give the new colour its share. Done when the router accepted it and the data plane shows it.

    With the rollout come the probes of each colour that look like a user's requests.
    """
    _grow_with_live(ports, claim, rollout)
    rollout = read_rollout(ports, claim, rollout.service)
    event = _STEPS_FROM.get(rollout.phase, Event.STEP_PASSED)
    if not (rollout.phase is Phase.SHIFTING and rollout.canary_percent == canary_percent):
        rollout = record_event(ports, claim, rollout, event, canary_percent=canary_percent)
    route = Route.giving(rollout.new_colour, canary_percent)
    if rollout.strategy == ROLLBACK:
        give_back(ports, claim, rollout.service, route)
        return rollout, {}
    return rollout, give(ports, claim, rollout.service, route)


def _grow_with_live(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> None:
    """Since it was started an autoscaler may have made the live colour larger: it must not get its users smaller."""
    if rollout.old_colour is None or rollout.workload.max_replicas is None:
        return
    live, new = (
        ports.slots.read_status(rollout.service, colour).wanted_replicas
        for colour in (rollout.old_colour, rollout.new_colour)
    )
    sized = choose_size(rollout.workload, live)
    if new < sized.replicas:
        with kept_alive(ports, claim):
            ports.slots.start(rollout.release, rollout.new_colour, sized, epoch=claim.epoch)
        _await_replicas(ports, claim, rollout)


def begin_bake(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """All traffic is on the new colour; the old one stays warm."""
    return enter(ports, claim, rollout, Phase.BAKING, Event.FULLY_SHIFTED)


def commit(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> Rollout:
    """The new colour is live from here on: what goes wrong now is finished forwards."""
    return enter(ports, claim, rollout, Phase.FINALIZING, Event.BAKED)


def finalize(ports: EnvironmentPorts, claim: Claim, rollout: Rollout, *, kind: str = DEPLOY) -> HistoryEntry:
    """Drain and stop the old colour, migrate what only that one needed, and close the rollout as live."""
    closed = find_closed(ports, rollout.service, rollout.id)
    if closed:
        return closed
    _give_all(ports, claim, rollout)
    return settle(ports, claim, rollout, kind=kind)


def _give_all(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> None:
    route = Route.giving(rollout.new_colour, 100)
    if rollout.strategy == ROLLBACK:
        give_back(ports, claim, rollout.service, route)
    else:
        give(ports, claim, rollout.service, route)


def settle(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, *, kind: str, contracting: bool = True
) -> HistoryEntry:
    """The end of a committed rollout that has all the traffic, whoever brings it about.

    `contracting` False: it is about to be rolled back, and nothing more may be removed.
    """
    retire(ports, claim, rollout, rollout.new_colour.other)
    free_size(ports, claim, rollout.service, rollout.new_colour)
    reasons = contract(ports, claim, rollout) if contracting else leave_uncontracted(rollout)
    return close_rollout(ports, claim, rollout, Event.FINALIZED, kind=kind, reasons=reasons)


def _never_ready(ports: EnvironmentPorts, rollout: Rollout, status: SlotStatus, *, late: bool) -> UnhealthyError:
    log = ports.slots.read_log_tail(rollout.service, rollout.new_colour, 3)
    why = status.blocked or (f"after {rollout.workload.ready_seconds:.0f} s" if late else "they keep ending")
    return UnhealthyError(
        f"{rollout.service} {rollout.release.version} never became ready",
        expected=f"{status.wanted_replicas} replicas that answer {rollout.workload.health_path} with 200",
        found=f"{status.ready_replicas} ready, {why}; {status.detail or 'no word from them'}; log: "
        + (" | ".join(log) or "empty"),
        next_step="no user was sent there; correct the release and deploy the next version",
    )
