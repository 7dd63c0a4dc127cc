"""Reading the counts that evaluations leave behind in their resolutions, without slowing an evaluation down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from switchover.flags.flag_set import FlagSet
from switchover.flags.records import Answered
from switchover.flags.resolution import Resolution

# A replaced set is read twice more: an evaluation that began before the swap may count after the first reading.
_LAST_READINGS = 2

# So many resolutions of replaced sets are kept for that, at most; the oldest are read at once and let go.
_MAX_RETIRED = 20_000


class AnswerCounts:
    """The answers of the set in use and of the sets just replaced. One reader per process; not thread-safe.

    A call of `Resolution.count` returns how often it was called before, and is one atomic step of
    `itertools.count` under the GIL. A reading is such a call itself, so the reader remembers how many readings it
    made of each resolution: what is left are answers. A resolution that goes on in the next set is the same object
    and keeps its reader's memory, so nothing is counted twice.
    """

    def __init__(self) -> None:
        self._live: dict[Resolution, tuple[int, int]] = {}
        self._retired: dict[Resolution, tuple[int, int]] = {}
        self._readings_left: dict[Resolution, int] = {}
        self._forced: Counter[Answered] = Counter()

    def swap(self, flag_set: FlagSet) -> None:
        """Read the resolutions of this set from now on, and those of the one before a last time."""
        known = {**self._retired, **self._live}
        live = {
            resolution: known.get(resolution, (0, 0))
            for flag in flag_set.compiled.values()
            for resolution in flag.resolutions
        }
        for resolution, memory in self._live.items():
            if resolution not in live:
                self._retired[resolution] = memory
                self._readings_left[resolution] = _LAST_READINGS
        for resolution in live:
            self._retired.pop(resolution, None)
            self._readings_left.pop(resolution, None)
        self._live = live
        while len(self._retired) > _MAX_RETIRED:
            resolution = next(iter(self._retired))
            self._forced[Answered.of(resolution)] += _read(self._retired, resolution)
            del self._retired[resolution], self._readings_left[resolution]

    def read(self) -> Counter[Answered]:
        """The answers since the last reading."""
        fresh, self._forced = self._forced, Counter()
        for resolution in self._live:
            _add(fresh, resolution, _read(self._live, resolution))
        for resolution in tuple(self._retired):
            _add(fresh, resolution, _read(self._retired, resolution))
            self._readings_left[resolution] -= 1
            if self._readings_left[resolution] == 0:
                del self._retired[resolution], self._readings_left[resolution]
        return fresh

    def kinds(self) -> Iterable[Answered]:
        """The answers that the set in use can give."""
        return map(Answered.of, self._live)


def _read(memories: dict[Resolution, tuple[int, int]], resolution: Resolution) -> int:
    readings, seen = memories[resolution]
    answers = resolution.count() - readings
    memories[resolution] = (readings + 1, answers)
    return answers - seen


def _add(counter: Counter[Answered], resolution: Resolution, answers: int) -> None:
    if answers:
        counter[Answered.of(resolution)] += answers
