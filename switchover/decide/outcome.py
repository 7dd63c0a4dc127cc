"""How a stage of a release ended: done, skipped for a stated reason, or failed for a stated reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The stage did its work. `detail` says what came of it, in a few words."""

    stage: str
    detail: str = ""

    def __str__(self) -> str:
        """Write the outcome as reports show it."""
        return f"done: {self.detail}" if self.detail else "done"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The stage had nothing to do or nothing to do it with. A skip always says why."""

    stage: str
    reason: str

    def __str__(self) -> str:
        """Write the outcome as reports show it."""
        return f"skipped: {self.reason}"


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage did its work and the answer is no. The release stops here."""

    stage: str
    reason: str

    def __str__(self) -> str:
        """Write the outcome as reports show it."""
        return f"failed: {self.reason}"


Outcome = Done | Skipped | Failed
