"""The figures of a phase, from its record and the load generator's own. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.demo.load_report import LoadReport
from switchover.demo.records import Kind, PhaseRecord, RolloutRecord
from switchover.model import Phase


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """What one phase cost its users, and how fast it was seen and undone. None: there is no such figure here.

    `reached` counts the answers that the version under test gave during the phase, `reached_percent` their
    share of all answers of the phase, `exposed_percent` their share while it answered at all.
    `failed_elsewhere` counts failed requests that were not its own answers. `exposure_seconds` is from its first
    bad answer to its last answer of all. `detection_seconds` is from the first sign of trouble to the verdict in
    the ledger; `rollback_seconds` from there to the route confirmed without it.
    """

    requests: int
    failed: int
    failed_elsewhere: int
    reached: int
    reached_percent: float
    exposed_percent: float | None
    exposure_seconds: float | None
    detection_seconds: float | None
    rollback_seconds: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    requests: int
    all_meanwhile: int
    first_at: float
    last_at: float


def measure_phase(record: PhaseRecord, load: LoadReport) -> PhaseFigures:
    """Compute the figures of a phase."""
    version = record.scene.version
    requests = load.requests_between(record.begin, record.end)
    failures = load.failures_between(record.begin, record.end)
    seen = _find_version(load, version, record.begin, record.end)
    reached = seen.requests if seen else 0
    return PhaseFigures(
        requests=requests,
        failed=len(failures),
        failed_elsewhere=sum(failure.version != version for failure in failures),
        reached=reached,
        reached_percent=100 * reached / requests if requests else 0.0,
        exposed_percent=100 * seen.requests / seen.all_meanwhile if seen and seen.all_meanwhile else None,
        exposure_seconds=_measure_exposure(record, load, seen),
        detection_seconds=_measure_detection(record, load, seen),
        rollback_seconds=_measure_rollback(record),
    )


def _find_version(load: LoadReport, version: str, begin: float, end: float) -> _Seen | None:
    parts = [part for part in load.intervals_between(begin, end) if version in part.versions]
    if not parts:
        return None
    counts = [part.versions[version] for part in parts]
    return _Seen(
        sum(count.requests for count in counts),
        sum(part.finished for part in parts),
        min(count.first_at for count in counts),
        max(count.last_at for count in counts),
    )


def _measure_exposure(record: PhaseRecord, load: LoadReport, seen: _Seen | None) -> float | None:
    if record.scene.kind not in (Kind.BAD, Kind.SLOW) or seen is None:
        return None
    return max(0.0, seen.last_at - _first_bad(record, load, seen))


def _measure_detection(record: PhaseRecord, load: LoadReport, seen: _Seen | None) -> float | None:
    """From the first bad answer; where no user saw one, from the start of what failed; else from the kill."""
    if record.rollout is None or record.scene.kind in (Kind.FIRST, Kind.HEALTHY, Kind.BY_HAND):
        return None
    verdict_at = record.rollout.entered(Phase.RETREATING)
    if record.scene.kind is Kind.KILLED:
        begin = record.triggered_at
    elif record.scene.kind is Kind.UNSEEN:
        begin = _start_of_what_failed(record.rollout)
    else:
        begin = _first_bad(record, load, seen) if seen else None
    return None if verdict_at is None or begin is None else max(0.0, verdict_at - begin)


def _first_bad(record: PhaseRecord, load: LoadReport, seen: _Seen) -> float:
    """The first failed answer; a slow release has none, there its very first answer is taken."""
    version = record.scene.version
    times = [each.at for each in load.failures_between(record.begin, record.end) if each.version == version]
    return min(times, default=seen.first_at)


def _start_of_what_failed(rollout: RolloutRecord) -> float | None:
    return rollout.entered(Phase.TESTING) or rollout.entered(Phase.STARTING)


def _measure_rollback(record: PhaseRecord) -> float | None:
    rollout = record.rollout
    if rollout is None:
        return None
    if record.scene.kind is Kind.BY_HAND:
        # The ledger enters these phases one right after the other, when the data plane has shown the new route.
        done, asked = rollout.entered(Phase.BAKING) or rollout.entered(Phase.FINALIZING), record.triggered_at
        return None if done is None or asked is None else done - asked
    verdict_at = rollout.entered(Phase.RETREATING)
    return None if verdict_at is None or rollout.confirmed_at is None else max(0.0, rollout.confirmed_at - verdict_at)
