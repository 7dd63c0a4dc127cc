"""How far one component has come on its way through the stages: a value that every stage returns anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from switchover.decide.components import Component
from switchover.decide.outcome import Failed, Outcome
from switchover.errors import SwitchoverError
from switchover.model import Release
from switchover.operations.pending import Pending
from switchover.operations.release_ports import Scanned
from switchover.operations.shared_places import Published


@dataclass(frozen=True, slots=True)
class Progress:
    """A component with what its stages came to so far, in their order.

    `archive` None: there are no bytes here. `published` is the version at its destination, `release` its entry in
    the store, `page` the address of its release page.
    """

    pending: Pending
    outcomes: tuple[Outcome, ...] = ()
    archive: Path | None = None
    scanned: Scanned | None = None
    signature: Path | None = None
    published: Published | None = None
    release: Release | None = None
    page: str = ""

    @property
    def component(self) -> Component:
        """What is being released."""
        return self.pending.component

    def after(self, outcome: Outcome, **changed: Any) -> Progress:
        """The progress after one more stage."""
        return replace(self, outcomes=(*self.outcomes, outcome), **changed)


def require_passed(all_progress: Sequence[Progress], stage: str) -> Sequence[Progress]:
    """All of them, unless that stage failed for one: then the release stops, before this run publishes anything."""
    for progress in all_progress:
        for outcome in progress.outcomes:
            if isinstance(outcome, Failed) and outcome.stage == stage:
                raise SwitchoverError(
                    f"the release of {progress.component} stops at: {outcome.stage}",
                    expected="that the stage is done, or skipped for a stated reason",
                    found=outcome.reason,
                    next_step="repair that, commit what changed and run again; bytes that an interrupted run has "
                    "stored of this version are used again: if they are at fault, add a changeset",
                )
    return all_progress


def group_by_rank(all_progress: Sequence[Progress]) -> tuple[tuple[Progress, ...], ...]:
    """The components in the groups in which they are published, dependencies before dependents."""
    ordered = sorted(all_progress, key=lambda progress: progress.pending.rank)
    return tuple(tuple(group) for _, group in groupby(ordered, key=lambda progress: progress.pending.rank))


def leave_out(pending: Sequence[Pending], finished: Sequence[Progress]) -> tuple[Pending, ...]:
    """What is still pending when these have gone through all stages already."""
    done = {each.component for each in finished}
    return tuple(each for each in pending if each.component not in done)
