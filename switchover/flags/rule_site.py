"""Where a rule is being compiled: what its closures will be called with, and what was found on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from switchover.flags.expression import Expression

MAX_NODES = 1_000_000


class Scope(Enum):
    """What a closure is called with."""

    CONTEXT = "the Context itself"
    DATA = "the attributes with $flagd and targetingKey, made once per evaluation"
    ITEM = "an item of a list, or what reduce gives"


class WholeDataNeededError(Exception):
    """The rule asks for more than attributes by name: its root scope has to be `DATA`."""


class RuleTooLargeError(Exception):
    """The rule has more nodes than anybody writes; evaluators that use each other can multiply."""


@dataclass(slots=True)
class Site:
    """The rule of one flag. `unknown` collects operators that nobody knows."""

    flag_key: str
    unknown: list[str] = field(default_factory=list)
    nodes: int = 0

    def count(self) -> None:
        """One more node. Raises `RuleTooLargeError`."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise RuleTooLargeError


CompileNode: TypeAlias = Callable[[object, Scope, Site], Expression]
