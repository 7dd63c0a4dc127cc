"""Reading the counts that evaluations leave behind in their resolutions, without slowing an evaluation down."""

from __future__ import annotations

import itertools
from collections import Counter

from switchover.flags.flag_set import Flag, FlagSet
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
    and keeps its reader's memory, so nothing is counted twice. Flags that nobody has asked yet have no resolutions,
    and none is made here: each reading looks whether they have them now.
    """

    def __init__(self) -> None:
        self._live: dict[Resolution, tuple[int, int]] = {}
        self._retired: dict[Resolution, tuple[int, int]] = {}
        self._readings_left: dict[Resolution, int] = {}
        self._unasked: set[Flag] = set()
        self._unasked_retired: dict[Flag, int] = {}
        self._forced: Counter[Answered] = Counter()

    def swap(self, flag_set: FlagSet) -> None:
        """Read the resolutions of this set from now on, and those of the one before a last time."""
        self._notice_asked()
        known = {**self._retired, **self._live}
        live: dict[Resolution, tuple[int, int]] = {}
        unasked: set[Flag] = set()
        for flag in flag_set.compiled.values():
            made = flag.made
            if made is None:
                unasked.add(flag)
            else:
                live |= {resolution: known.get(resolution, (0, 0)) for resolution in made.resolutions}
        self._retire_unasked(flag_set)
        self._unasked = unasked
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
        self._notice_asked()
        fresh, self._forced = self._forced, Counter()
        for resolution in self._live:
            _add(fresh, resolution, _read(self._live, resolution))
        for resolution in tuple(self._retired):
            _add(fresh, resolution, _read(self._retired, resolution))
            self._readings_left[resolution] -= 1
            if self._readings_left[resolution] == 0:
                del self._retired[resolution], self._readings_left[resolution]
        for flag, left in tuple(self._unasked_retired.items()):
            self._unasked_retired[flag] = left - 1
            if left == 1:
                del self._unasked_retired[flag]
        return fresh

    def _notice_asked(self) -> None:
        """Read the resolutions of flags that were asked for the first time."""
        for flag in [flag for flag in self._unasked if flag.made is not None]:
            self._unasked.remove(flag)
            for resolution in flag.resolutions:
                self._live.setdefault(resolution, (0, 0))
        for flag in [flag for flag in self._unasked_retired if flag.made is not None]:
            left = self._unasked_retired.pop(flag)
            for resolution in flag.resolutions:
                self._retired[resolution], self._readings_left[resolution] = (0, 0), left

    def _retire_unasked(self, flag_set: FlagSet) -> None:
        """Those of the replaced set may still get their first question, from an evaluation that began before."""
        leaving = {**self._unasked_retired, **dict.fromkeys(self._unasked, _LAST_READINGS)}
        kept = {flag: left for flag, left in leaving.items() if flag_set.compiled.get(flag.key) is not flag}
        self._unasked_retired = dict(itertools.islice(kept.items(), max(0, len(kept) - _MAX_RETIRED), None))


def _read(memories: dict[Resolution, tuple[int, int]], resolution: Resolution) -> int:
    readings, seen = memories[resolution]
    answers = resolution.count() - readings
    memories[resolution] = (readings + 1, answers)
    return answers - seen


def _add(counter: Counter[Answered], resolution: Resolution, answers: int) -> None:
    if answers:
        counter[Answered.of(resolution)] += answers
