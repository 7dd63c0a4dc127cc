"""A compiled flag set: what a client answers from. It is swapped whole, by one assignment.

Its answers never change; a flag may be compiled when it is first needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from switchover.flags.context import Context
from switchover.flags.fresh_stack import on_fresh_stack
from switchover.flags.resolution import NO_METADATA, Metadata, Resolution
from switchover.flags.snapshot import Snapshot

Answer: TypeAlias = Callable[[Context], Resolution]
"""Evaluates one flag. Never raises: what cannot be evaluated is a resolution with an error."""


@dataclass(frozen=True, slots=True)
class CompiledFlag:
    """One flag. `resolutions` are all the answers that it can give, for those who count them."""

    key: str
    answer: Answer
    resolutions: tuple[Resolution, ...]

    @property
    def made(self) -> CompiledFlag:
        """Itself, as of a `DeferredFlag`."""
        return self


class DeferredFlag:
    """A flag that is compiled when its `answer` or its `resolutions` are first asked for.

    Nobody waits for a lock, and none is there for a forked child to inherit: of threads that ask at the same time each
    compiles the flag, and all go on with what the first of them has made. `made` is that, None: nobody has asked yet.
    What `make` raises is raised to the one who asked and is not remembered.
    """

    made: CompiledFlag | None = None

    def __init__(self, key: str, make: Callable[[], CompiledFlag]) -> None:
        self.key = key
        self._make: Callable[[], CompiledFlag] | None = make

    @property
    def answer(self) -> Answer:
        """What evaluates it."""
        return self._finish().answer

    @property
    def resolutions(self) -> tuple[Resolution, ...]:
        """All the answers that it can give."""
        return self._finish().resolutions

    def answer_in(self, answers: dict[str, Answer]) -> Answer:
        """What evaluates it now; before it is compiled: what puts that into `answers` at the first question."""
        return functools.partial(_answer_first, self, answers) if self.made is None else self.made.answer

    def _finish(self) -> CompiledFlag:
        make = self._make
        if make is not None:
            # One atomic step, like every `setdefault` with a text.
            self.__dict__.setdefault("made", _make_anywhere(make))
            self._make = None
        assert self.made is not None  # noqa: S101 - `_make` is let go after it was set
        return self.made


Flag: TypeAlias = CompiledFlag | DeferredFlag


def _make_anywhere(make: Callable[[], CompiledFlag]) -> CompiledFlag:
    """However deep in its own calls an application asks first, the flag becomes the same."""
    try:
        return make()
    except RecursionError:
        return on_fresh_stack(make)


def _answer_first(flag: DeferredFlag, answers: dict[str, Answer], context: Context) -> Resolution:
    answer = answers[flag.key] = flag.answer
    return answer(context)


@dataclass(frozen=True, slots=True)
class FlagSet:
    """All flags of a set at one version. `answers` is what is looked up for each question."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    compiled: Mapping[str, Flag] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)
    answer_all: Callable[[Context], Mapping[str, Resolution]] | None = None
    """All answers at once, where the place has a better way than asking one by one. May raise: then one by one."""


Compiler: TypeAlias = Callable[[Snapshot, FlagSet], FlagSet]
"""Makes what is answered from of a snapshot and the set before, of which it takes over what is as it was."""
