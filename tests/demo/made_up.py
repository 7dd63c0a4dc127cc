"""A demonstration that went well, made up: every promise holds on it, and each test spoils one thing."""

from __future__ import annotations

from dataclasses import replace

from switchover.demo.figures import measure_phase
from switchover.demo.load_report import Count, Failure, Interval, LoadReport, Summary
from switchover.demo.promises import Played, Promise, judge_promises
from switchover.demo.records import Ending, EnvironmentCheck, Kind, Move, PhaseRecord, RolloutRecord, Scene
from switchover.model import Colour, Phase, Route

RATE = 300.0
PROCESSES = 7
SECONDS = 10  # of each phase
SCENES = (
    Scene(1, "1.0.0", Kind.FIRST, "first", "1.0.0", "instant"),
    Scene(3, "1.1.0", Kind.HEALTHY, "canary", "1.1.0"),
    Scene(4, "1.2.0", Kind.BAD, "bad", "1.1.0"),
    Scene(5, "1.2.2", Kind.UNSEEN, "unseen", "1.1.0"),
    Scene(5, "1.2.3", Kind.SLOW, "slow", "1.1.0"),
    Scene(6, "1.3.0", Kind.KILLED, "killed", "1.1.0"),
    Scene(7, "1.1.0", Kind.BY_HAND, "by hand", "1.1.0"),
)


def phase_begin(number: int) -> float:
    """Phases follow each other without a gap; the first one ends when the load begins, at 1000."""
    return 1000.0 + (number - 1) * SECONDS


def make_rollout(scene: Scene, begin: float) -> RolloutRecord:
    moves = [Move(begin + 1, Phase.STARTING, 0)]
    if scene.kind is not Kind.UNSEEN:
        moves.append(Move(begin + 2, Phase.SHIFTING, 10))
    if scene.live_after == scene.version:
        moves.append(Move(begin + 3, Phase.BAKING, 100))
        return RolloutRecord("r", scene.version, Colour.GREEN, Colour.BLUE, tuple(moves))
    moves.append(Move(begin + 5, Phase.RETREATING, 0))
    return RolloutRecord("r", scene.version, Colour.GREEN, Colour.BLUE, tuple(moves), ("bad",), begin + 5.25)


def make_check(version: str) -> EnvironmentCheck:
    route = Route.giving(Colour.BLUE, 100)
    return EnvironmentCheck(Colour.BLUE, version, False, route, route, True, 0, PROCESSES, PROCESSES)  # noqa: FBT003


def make_records() -> list[PhaseRecord]:
    records = []
    for number, scene in enumerate(SCENES):
        begin = phase_begin(number)
        refused = scene.kind in (Kind.BAD, Kind.UNSEEN, Kind.SLOW)
        records.append(
            PhaseRecord(
                scene,
                begin,
                begin + SECONDS,
                "live" if scene.live_after == scene.version else "rolled back",
                make_rollout(scene, begin),
                make_check(scene.live_after),
                triggered_at=begin + 2 if scene.kind in (Kind.KILLED, Kind.BY_HAND) else None,
                hook_started_rollback=True if refused else None,
            )
        )
    return records


def make_interval(begin: float, versions: dict[str, Count], failed: int = 0) -> Interval:
    requests = sum(count.requests for count in versions.values())
    return Interval(begin, begin + 1, requests, requests, failed, 0, 2.0, 9.0, {}, versions)


def make_load(bad_requests: int = 30, bad_seconds: int = 3) -> LoadReport:
    """One interval a second; 1.2.0 and 1.2.3 answer some from the third second of their phases on."""
    intervals = []
    failures = []
    for number, scene in enumerate(SCENES[1:], start=1):
        for second in range(SECONDS):
            begin = phase_begin(number) + second
            seen = scene.kind in (Kind.BAD, Kind.SLOW) and 2 <= second < 2 + bad_seconds
            own = bad_requests if seen else 0
            failed = 6 if seen and scene.kind is Kind.BAD else 0
            versions = {"1.1.0": Count(300 - own, 0, 0, begin, begin + 0.99)}
            if seen:
                versions[scene.version] = Count(own, failed, 0, begin + 0.1, begin + 0.9)
            failures += [
                Failure(begin + 0.1 * (each + 1), "status 500", "green", scene.version) for each in range(failed)
            ]
            intervals.append(make_interval(begin, versions, failed))
    sent = 300 * len(intervals)
    summary = Summary(intervals[0].begin, intervals[-1].end, "stopped", sent, sent, len(failures), 0, 2.0, 9.0)
    return LoadReport(tuple(intervals), tuple(failures), summary)


def play(records: list[PhaseRecord], load: LoadReport) -> tuple[Played, ...]:
    return tuple((record, measure_phase(record, load)) for record in records)


def judge(
    records: list[PhaseRecord] | None = None, load: LoadReport | None = None, ending: Ending | None = None
) -> dict[str, Promise]:
    """Judge what is given, and where nothing is, what went well."""
    records, load = records or make_records(), load or make_load()
    ending = ending or Ending(len(records), len(records))
    return {promise.name: promise for promise in judge_promises(play(records, load), load, RATE, ending)}


def change(records: list[PhaseRecord], kind: Kind, **changes: object) -> list[PhaseRecord]:
    """The records with those of this kind changed."""
    return [replace(each, **changes) if each.scene.kind is kind else each for each in records]  # type: ignore[arg-type]
