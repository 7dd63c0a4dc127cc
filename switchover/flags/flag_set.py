"""A compiled flag set: what a client answers from. It is swapped whole, by one assignment.

Its answers never change; a flag may be compiled when it is first needed.
"""

from __future__ import annotations

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
    What `make` raises, which is given the key and `parts`, is raised to the one who asked and is not remembered.
    """

    # A set may have thousands of these, so that each is made of few objects.
    made: CompiledFlag | None = None

    def __init__(self, key: str, make: Callable[..., CompiledFlag], *parts: object) -> None:
        self.key = key
        self._make = make
        self._parts: tuple[object, ...] | None = parts

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
        return _FirstAnswer(self, answers) if self.made is None else self.made.answer

    def _finish(self) -> CompiledFlag:
        parts = self._parts
        if parts is not None:
            # One atomic step, like every `setdefault` with a text.
            self.__dict__.setdefault("made", self._make_anywhere(parts))
            self._parts = None
        assert self.made is not None  # noqa: S101 - the parts are let go after it was set
        return self.made

    def _make_anywhere(self, parts: tuple[object, ...]) -> CompiledFlag:
        """However deep in its own calls an application asks first, the flag becomes the same."""
        try:
            return self._make(self.key, *parts)
        except RecursionError:
            return on_fresh_stack(lambda: self._make(self.key, *parts))


class _FirstAnswer:
    """Stands in the answers of a set until the first question."""

    __slots__ = ("_answers", "_flag")

    def __init__(self, flag: DeferredFlag, answers: dict[str, Answer]) -> None:
        self._flag = flag
        self._answers = answers

    def __call__(self, context: Context) -> Resolution:
        answer = self._answers[self._flag.key] = self._flag.answer
        return answer(context)


Flag: TypeAlias = CompiledFlag | DeferredFlag


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
