"""A compiled flag set: what a client answers from. It is swapped whole, by one assignment, and never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from switchover.flags.context import Context
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


@dataclass(frozen=True, slots=True)
class FlagSet:
    """All flags of a set at one version. `answers` is what is looked up for each question."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    compiled: Mapping[str, CompiledFlag] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=lambda: NO_METADATA)
    answer_all: Callable[[Context], Mapping[str, Resolution]] | None = None
    """All answers at once, where the place has a better way than asking one by one. May raise: then one by one."""
