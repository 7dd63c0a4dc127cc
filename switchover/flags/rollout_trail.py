"""A gradual rollout of a flag as its audit trail tells it: every step says which run made it and where it began."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from switchover.errors import InputError
from switchover.flags.additions import read_additions
from switchover.flags.changes import read_percentage
from switchover.flags.snapshot import Change, Edits, Json, Note, Snapshot

RAISED = "rollout"
TAKEN_BACK = "rollback"
ENDED = "rolled-out"

_MARK = re.compile(r".*\[run (?P<run>\S+) begins at [0-9.]+ and ends at [0-9.]+ %\]", re.DOTALL)
_WHOLE = 100
_FLAGS = "flags/"


@dataclass(frozen=True, slots=True)
class FlagRollout:
    """One attempt to give a flag's variant to more and more. `begin_percent` is what is gone back to.

    `run` names the attempt.
    """

    flag: str
    variant: str
    run: str
    who: str
    why: str
    begin_percent: float
    end_percent: float

    def note(self) -> Note:
        """What the audit trail says of a step. With the change it is one write: no effect without its intent."""
        mark = f"[run {self.run} begins at {self.begin_percent:g} and ends at {self.end_percent:g} %]"
        return Note(self.who, f"{self.why} {mark}".strip(), RAISED)

    def end_note(self) -> Note:
        """What the audit trail says when the last step was watched to its end: nobody takes the flag back any more."""
        return Note(self.who, f"{self.why} [of run {self.run}]".strip(), ENDED)


def plan_flag_steps(current_percent: float, steps: Sequence[float]) -> tuple[float, ...]:
    """The steps that are still to be made. Raises `InputError` for steps that do not rise from above 0 to 100."""
    rises = all(low < high for low, high in pairwise(steps))
    if not steps or not rises or steps[0] <= 0 or steps[-1] > _WHOLE:
        raise InputError(
            "the rollout cannot be planned",
            expected="percentages above 0 that rise, for example 10, 25, 50, 100",
            found=", ".join(f"{step:g}" for step in steps) or "none",
            next_step="correct the steps",
        )
    return tuple(step for step in steps if step > current_percent)


def read_share(snapshot: Snapshot, flag: str, variant: str) -> float:
    """The percentage that the variant has; 0 where the flag has none. Raises `InputError` for an unknown flag."""
    return read_percentage(require_flag(snapshot, flag), variant) or 0.0


def require_flag(snapshot: Snapshot, flag: str) -> dict[str, Json]:
    """The flag's JSON. Raises `InputError`."""
    found = snapshot.flag(flag)
    if not isinstance(found, dict):
        known = sorted(part.removeprefix(_FLAGS) for part in snapshot.parts if part.startswith(_FLAGS))
        raise InputError(
            f"there is no flag {flag}",
            expected=f"one of {', '.join(known)}" if known else "a flag of the set, which has none yet",
            found=repr(flag),
            next_step="look with `switchover flags list`",
        )
    return found


def find_steps(history: Sequence[Change], flag: str, run: str) -> tuple[Change, ...]:
    """The steps that a run has made, newest first."""
    return tuple(each for each in history if f"flags/{flag}" in each.edits and _read_run(each) == run)


def find_flag(history: Sequence[Change], run: str) -> str | None:
    """The flag that a run has raised; None where the trail has no step of it."""
    step = next((each for each in history if _read_run(each) == run), None)
    part = next((part for part in step.edits if part.startswith(_FLAGS)), None) if step else None
    return part.removeprefix(_FLAGS) if part else None


def has_ended(history: Sequence[Change], rollout: FlagRollout) -> bool:
    """Whether the trail says that this rollout was watched to its end."""
    return any(each.note == rollout.end_note() for each in history)


def is_last(history: Sequence[Change], flag: str, run: str) -> bool:
    """Whether the newest change of the flag is a step of this run: nobody else has touched it since."""
    newest = next((each for each in history if f"flags/{flag}" in each.edits), None)
    return newest is not None and _read_run(newest) == run


def go_back(steps: Sequence[Change], flag: str) -> Edits:
    """What to edit so that the flag is as it was before the first of these steps, newest first."""
    part = f"flags/{flag}"
    return {part: steps[-1].before.get(part)}


def _read_run(change: Change) -> str | None:
    found = _MARK.fullmatch(change.note.why) if change.note.action == RAISED else None
    return found["run"] if found else None


def is_experiment(snapshot: Snapshot, flag: str) -> bool:
    """Whether exposures of the flag are recorded for each context."""
    return read_additions(require_flag(snapshot, flag)).experiment
