"""What the demonstration promises, judged on its records. No I/O: every promise can be seen to break in a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from switchover.demo.figures import PhaseFigures
from switchover.demo.load_report import LoadReport
from switchover.demo.records import Ending, Kind, PhaseRecord

MOST_USERS_PERCENT = 10.0
MOST_EXPOSURE_SECONDS = 10.0
MEDIAN_EXPOSURE_SECONDS = 6.0
MOST_ROLLBACK_SECONDS = 1.0
RUNS_FOR_A_MEDIAN = 3
FIRST_STEP_PERCENT = 10
RATE_TOLERANCE = 0.98

_SOUND = (Kind.FIRST, Kind.HEALTHY, Kind.KILLED, Kind.BY_HAND)
_JUDGED = (Kind.BAD, Kind.SLOW)
_REFUSED = (Kind.BAD, Kind.UNSEEN, Kind.SLOW)

Played = tuple[PhaseRecord, PhaseFigures]


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: its short name, what it says, whether it was kept, and what was found."""

    name: str
    text: str
    kept: bool
    found: str


def judge_promises(played: Sequence[Played], load: LoadReport, rate: float, ending: Ending) -> tuple[Promise, ...]:
    """Judge every promise. One that could not be measured counts as broken."""
    return (
        _judge_story(ending),
        _judge_load(load, rate),
        _judge_switches(played),
        _judge_other_failures(played),
        _judge_users(played),
        _judge_exposure(played),
        *_judge_median(played),
        _judge_rollback_time(played),
        _judge_first_step(played),
        _judge_unseen(played, load),
        _judge_hooks(played),
        _judge_one_colour(played),
        _judge_leftovers(ending),
    )


def _judge_story(ending: Ending) -> Promise:
    found = f"{ending.played} of {ending.planned} phases" + (f"; {ending.stopped_by}" if ending.stopped_by else "")
    kept = ending.played == ending.planned and not ending.stopped_by
    return Promise("every phase", "every phase is played and ends as planned", kept, found)


def _judge_load(load: LoadReport, rate: float) -> Promise:
    text = f"the load keeps its {rate:g} requests/s to the end, and every request is accounted for"
    summary = load.summary
    if summary is None or summary.end <= summary.begin:
        return Promise("load", text, kept=False, found="the load generator wrote no summary")
    reached = summary.sent / (summary.end - summary.begin)
    kept = reached >= rate * RATE_TOLERANCE and summary.sent == summary.finished
    return Promise("load", text, kept, f"{reached:.0f} requests/s; {summary.sent} sent, {summary.finished} ended")


def _judge_switches(played: Sequence[Played]) -> Promise:
    sound = [each for each in played if each[0].scene.kind in _SOUND]
    lost = [f"{_name(record)}: {figures.failed}" for record, figures in sound if figures.failed]
    requests = sum(figures.requests for _, figures in sound)
    found = "lost in " + ", ".join(lost) if lost else f"0 of {requests} lost"
    return Promise("healthy switches", "healthy switches lose 0 requests", bool(requests) and not lost, found)


def _judge_other_failures(played: Sequence[Played]) -> Promise:
    strange = [f"{_name(record)}: {figures.failed_elsewhere}" for record, figures in played if figures.failed_elsewhere]
    text = "a bad release fails only the requests that it answers itself"
    return Promise("no other failures", text, not strange, ", ".join(strange) or "none")


def _judge_users(played: Sequence[Played]) -> Promise:
    shares = {_name(record): figures.reached_percent for record, figures in played if record.scene.kind is Kind.BAD}
    text = f"the bad release is seen by at most {MOST_USERS_PERCENT:g} % of the users"
    found = ", ".join(f"{name}: {share:.1f} %" for name, share in shares.items()) or "not measured"
    return Promise("users reached", text, bool(shares) and max(shares.values()) <= MOST_USERS_PERCENT, found)


def _judge_exposure(played: Sequence[Played]) -> Promise:
    text = f"the bad release is off the route within {MOST_EXPOSURE_SECONDS:g} s of its first bad answer"
    return _judge_seconds("off the route", text, MOST_EXPOSURE_SECONDS, _exposures(played))


def _judge_median(played: Sequence[Played]) -> Iterator[Promise]:
    known = [seconds for seconds in _exposures(played).values() if seconds is not None]
    if len(known) >= RUNS_FOR_A_MEDIAN:
        text = f"over several runs, half of the time within {MEDIAN_EXPOSURE_SECONDS:g} s"
        middle = median(known)
        found = f"p50 of {len(known)} runs: {middle:.2f} s"
        yield Promise("off the route, p50", text, middle < MEDIAN_EXPOSURE_SECONDS, found)


def _judge_rollback_time(played: Sequence[Played]) -> Promise:
    text = f"from the verdict to the route confirmed without it at most {MOST_ROLLBACK_SECONDS:g} s"
    measured = {_name(record): figures.rollback_seconds for record, figures in played if record.scene.kind in _JUDGED}
    return _judge_seconds("rollback", text, MOST_ROLLBACK_SECONDS, measured)


def _judge_first_step(played: Sequence[Played]) -> Promise:
    highest = {
        _name(record): record.rollout.highest_percent if record.rollout else None
        for record, _ in played
        if record.scene.kind in _REFUSED
    }
    over = [name for name, percent in highest.items() if percent is None or percent > FIRST_STEP_PERCENT]
    found = ", ".join(
        f"{name}: {'not seen' if percent is None else f'{percent} %'}" for name, percent in highest.items()
    )
    text = "every bad release is stopped before or at its first step"
    return Promise("first step", text, bool(highest) and not over, found or "not measured")


def _judge_unseen(played: Sequence[Played], load: LoadReport) -> Promise:
    versions = [record.scene.version for record, _ in played if record.scene.kind is Kind.UNSEEN]
    counts = {version: load.count_version(version) for version in versions}
    reached = {version: count.requests if count else 0 for version, count in counts.items()}
    found = ", ".join(f"{version}: {number} requests" for version, number in reached.items())
    text = "what fails to start or fails its smoke tests never reaches a user"
    return Promise("smoke tests", text, bool(reached) and not any(reached.values()), found or "not measured")


def _judge_hooks(played: Sequence[Played]) -> Promise:
    asked = {
        _name(record): record.hook_started_rollback for record, _ in played if record.hook_started_rollback is not None
    }
    missing = [name for name, started in asked.items() if not started]
    found = "not by " + ", ".join(missing) if missing else f"by {len(asked)} of {len(asked)} failed runs"
    text = "the state hook of a failed deployment starts the rollback"
    return Promise("state hook", text, bool(asked) and not missing, found)


def _judge_one_colour(played: Sequence[Played]) -> Promise:
    troubles = [
        f"{_name(record)}: {'; '.join(wrong)}"
        for record, _ in played
        if (wrong := record.check.find_troubles(record.scene.live_after))
    ]
    text = "after every phase one colour is live, ledger and Envoy agree, nothing else runs"
    found = " | ".join(troubles) or f"after all {len(played)} phases"
    return Promise("one colour", text, bool(played) and not troubles, found)


def _judge_leftovers(ending: Ending) -> Promise:
    left = ", ".join(str(pid) for pid in ending.left_running)
    text = "at the end nothing that the demonstration started is left running"
    return Promise("nothing left", text, not left, f"processes {left}" if left else "nothing")


def _judge_seconds(name: str, text: str, most: float, measured: dict[str, float | None]) -> Promise:
    over = [key for key, seconds in measured.items() if seconds is None or seconds > most]
    found = ", ".join(
        f"{key}: {'not measured' if seconds is None else f'{seconds:.2f} s'}" for key, seconds in measured.items()
    )
    return Promise(name, text, bool(measured) and not over, found or "not measured")


def _exposures(played: Sequence[Played]) -> dict[str, float | None]:
    return {_name(record): figures.exposure_seconds for record, figures in played if record.scene.kind is Kind.BAD}


def _name(record: PhaseRecord) -> str:
    return record.scene.title
