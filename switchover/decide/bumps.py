"""The four sizes of a version change, in order."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Bump(StrEnum):
    """How far a version moves. `NONE` keeps it, and still lets the ranges of a package be rewritten."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"

    @property
    def rank(self) -> int:
        """Position in the order none, patch, minor, major."""
        return _RANKS[self]


_RANKS = {bump: rank for rank, bump in enumerate(Bump)}


def choose_highest(bumps: Iterable[Bump]) -> Bump:
    """The largest of `bumps`; none of them is `NONE`."""
    return max(bumps, key=_RANKS.__getitem__, default=Bump.NONE)
