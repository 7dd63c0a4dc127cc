"""Watching real traffic: observe, judge, and either go on or say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from switchover.decide.health import Evidence, judge_health
from switchover.decide.record import note_verdict
from switchover.decide.rollback import ROLLBACK
from switchover.decide.rollout import Event
from switchover.errors import UnhealthyError
from switchover.model import (
    Colour,
    JudgeSettings,
    Observation,
    Phase,
    Rollout,
    SmokeTest,
    Standing,
    Tallies,
    Tally,
    Verdict,
    count_since,
)
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim, amend, renew
from switchover.operations.patience import Patience
from switchover.operations.retreat import retreat
from switchover.operations.rollout import probe_all
from switchover.operations.rollout_record import read_rollout

LOOK_SECONDS = 1.0
SMOKE_EVERY_LOOKS = 10

Report = Callable[[Observation, Verdict], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is carried from look to look and from step to step: the evidence, and the counters as last read.

    `own_requests` are those that we sent ourselves and that were not found in the counters yet.
    """

    evidence: Evidence
    tallies: dict[Colour, Tallies]
    log_lines: int = 0
    log_errors: int = 0
    probe_failures: int = 0
    own_requests: Mapping[Colour, int] = field(default_factory=dict)


def open_watch(ports: EnvironmentPorts, rollout: Rollout) -> Watch:
    """The counters before the first user: what the smoke tests logged and asked is nobody's evidence.

    A rollback is not watched: what counts requests may be gone, and must not stand in its way.
    """
    if rollout.strategy == ROLLBACK:
        return Watch(Evidence(), {})
    lines, errors = ports.slots.read_log_counts(rollout.service, rollout.new_colour)
    return Watch(Evidence(), ports.signals.read_tallies(rollout.service), lines, errors)


def discount(watching: Watch, probes: Mapping[Colour, int]) -> Watch:
    """Expect so many good requests of our own in the counters: nobody may be called healthy for those."""
    expected = {colour: watching.own_requests.get(colour, 0) + probes.get(colour, 0) for colour in Colour}
    return replace(watching, own_requests=expected)


def watch(
    ports: EnvironmentPorts,
    claim: Claim,
    rollout: Rollout,
    watching: Watch,
    *,
    hold_seconds: float,
    settings: JudgeSettings,
    report: Report,
    smoke_tests: tuple[SmokeTest, ...] = (),
) -> Watch:
    """Judge about once a second for `hold_seconds`, and on until the judge says healthy; 0 is not to watch.

    `smoke_tests` are repeated on the new colour with every tenth look. An unhealthy verdict takes the traffic
    back at once, here, and then raises `UnhealthyError`: seconds count, and a flow run's hooks come only after
    its bookkeeping. What is not healthy `settings.no_data_seconds` after the holding time is taken back too: too
    little evidence is not an approval.
    """
    _refuse_condemned(ports, claim, rollout)
    if hold_seconds <= 0:
        return watching
    ends_at = ports.clock.now() + hold_seconds
    gives_up_at = ends_at + settings.no_data_seconds
    numbers = count()
    patience = Patience(ports.clock)
    while True:
        due = smoke_tests if next(numbers) % SMOKE_EVERY_LOOKS == 0 else ()
        ports.clock.sleep(LOOK_SECONDS)
        verdict: Verdict | None = None
        with patience.looking():
            renew(ports, claim)  # before the look: a deployer that was taken over judges nothing any more
            failed = _repeat_smoke_tests(ports, claim, rollout, due)
            watching, observation, verdict = look(ports, rollout, watching, settings, failed)
            _note(ports, claim, rollout.service, verdict)
            report(observation, verdict)
        if verdict is None:
            continue  # nothing could be seen: the next look decides
        if verdict.standing is Standing.HEALTHY and ports.clock.now() >= ends_at:
            return watching
        if verdict.standing is Standing.UNHEALTHY or (
            verdict.standing is Standing.NO_DATA and ports.clock.now() >= gives_up_at
        ):
            retreat(ports, claim, rollout.service, Event.UNHEALTHY, verdict.reasons)
            raise _unhealthy(rollout, verdict)


def look(
    ports: EnvironmentPorts,
    rollout: Rollout,
    watching: Watch,
    settings: JudgeSettings,
    failed_smoke_tests: tuple[str, ...],
) -> tuple[Watch, Observation, Verdict]:
    """One look: what changed since the last one, and what the judge says of it."""
    new, old = rollout.new_colour, rollout.new_colour.other
    read = ports.signals.read_tallies(rollout.service)
    before = _with_newcomers(watching.tallies, read)
    # What a source that says nothing now has counted is kept: when it speaks again, that is no news.
    tallies: dict[Colour, Tallies] = {colour: {**before[colour], **sources} for colour, sources in read.items()}
    status = ports.slots.read_status(rollout.service, new)
    lines, errors = ports.slots.read_log_counts(rollout.service, new)
    probe_failures = watching.probe_failures + 1 if status.fails_probes else 0
    own = watching.own_requests
    canary, own_canary = _without_own(count_since(tallies[new], before[new]), own.get(new, 0))
    live, own_live = _without_own(count_since(tallies[old], before[old]), own.get(old, 0))
    observation = Observation(
        at=ports.clock.now(),
        canary=canary,
        live=live,
        probe_failures=probe_failures,
        restart_times=status.restart_times,
        log_lines=max(0, lines - watching.log_lines),
        log_errors=max(0, errors - watching.log_errors),
        out_of_memory=status.out_of_memory,
        throttled=status.throttled,
        failed_smoke_tests=failed_smoke_tests,
    )
    evidence, verdict = judge_health(watching.evidence, observation, settings)
    left = {new: own_canary, old: own_live}
    return Watch(evidence, tallies, lines, errors, probe_failures, left), observation, verdict


def _with_newcomers(before: Mapping[Colour, Tallies], read: Mapping[Colour, Tallies]) -> dict[Colour, Tallies]:
    """The counters before, and those of a source that nobody has seen yet as they are read now.

    What it counted until then may be years old, of any release; a source that is really new loses one interval by
    that. One that was seen at either colour was there all the time: where it is new for the other, it began at zero.
    """
    known = {source for tallies in before.values() for source in tallies}
    return {
        colour: {**{name: each for name, each in read[colour].items() if name not in known}, **before[colour]}
        for colour in read
    }


def _without_own(seen: Tally, own: int) -> tuple[Tally, int]:
    """Without the good requests that may be our own, and how many of those are still to come.

    The counters lag behind, so the first good ones are taken for ours; a bad one is always somebody's.
    """
    found = min(own, seen.requests - max(seen.errors, seen.slow))
    found = max(0, found)
    return replace(seen, requests=seen.requests - found), own - found


def _note(ports: EnvironmentPorts, claim: Claim, service: str, verdict: Verdict) -> None:
    amend(ports, claim, lambda record: note_verdict(record, service, verdict))


def _repeat_smoke_tests(
    ports: EnvironmentPorts, claim: Claim, rollout: Rollout, tests: tuple[SmokeTest, ...]
) -> tuple[str, ...]:
    addresses = ports.slots.read_status(rollout.service, rollout.new_colour).addresses
    return tuple(
        f"{result.name} ({result.detail})" for result in probe_all(ports, claim, addresses, tests) if not result.passed
    )


def _refuse_condemned(ports: EnvironmentPorts, claim: Claim, rollout: Rollout) -> None:
    """A watch that is repeated after its verdict, because the route did not follow, finishes that first."""
    current = read_rollout(ports, claim, rollout.service)
    if current.phase is Phase.RETREATING:
        retreat(ports, claim, rollout.service, Event.UNHEALTHY, current.reasons)
        raise _unhealthy(rollout, Verdict(Standing.UNHEALTHY, current.reasons))


def _unhealthy(rollout: Rollout, verdict: Verdict) -> UnhealthyError:
    return UnhealthyError(
        f"{rollout.service} {rollout.release.version} is unhealthy at {rollout.canary_percent} %",
        expected="a release no worse than the one that is live",
        found="; ".join(reason.message for reason in verdict.reasons),
        next_step=f"nothing: {rollout.old_version or 'nobody'} has the traffic back (`switchover history` keeps why)",
    )
