"""How a client is doing: whether it has a set, which one, and how long ago the place has vouched for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What the answers rest on."""

    STARTING = "STARTING"
    """No set has come yet: callers get their defaults."""
    READY = "READY"
    STALE = "STALE"
    """The place cannot be asked, its set cannot be used, or the client is closed: the last known values are served."""
    ERROR = "ERROR"
    """As `STALE`, and no set has come before: callers get their defaults."""


@dataclass(frozen=True, slots=True)
class Status:
    """`age_seconds`: since the place has last said that this is the set; since the client began while it never has.

    `flags` is how many the set has, `why` what is wrong while the state is STALE or ERROR.
    """

    state: State
    version: int
    lineage: str
    age_seconds: float
    flags: int
    why: str = ""
