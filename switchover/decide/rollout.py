"""The rollout machine: every phase, every event, and what one does to the other, in one table.

The table is all there is: `docs/rollout.md` is generated from it (`python -m switchover.decide.rollout`), and
recovery reads from it which way a dead rollout is finished. Two rules shape it: before the commit point
(entering `finalizing`) whatever goes wrong leads back to the old colour; after it, whatever goes wrong is
finished forwards, because the old colour may already be gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from switchover.model import Phase, Reason, Rollout


class Event(StrEnum):
    """What can happen to a rollout."""

    MIGRATION_DUE = "migration due"
    MIGRATED = "migrated"
    PREPARED = "prepared"
    READY = "ready"
    TESTS_PASSED = "tests passed"
    APPROVAL_ASKED = "approval asked"
    APPROVED = "approved"
    STEP_PASSED = "step passed"
    FULLY_SHIFTED = "fully shifted"
    BAKED = "baked"
    FINALIZED = "finalized"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LEASE_EXPIRED = "lease expired"
    ROLLBACK_REQUESTED = "rollback requested"
    RESTORED = "restored"


BAD_NEWS = frozenset({Event.UNHEALTHY, Event.FAILED, Event.CANCELLED, Event.LEASE_EXPIRED, Event.ROLLBACK_REQUESTED})
REVERSIBLE = (
    Phase.PREPARING,
    Phase.MIGRATING,
    Phase.STARTING,
    Phase.TESTING,
    Phase.APPROVING,
    Phase.SHIFTING,
    Phase.BAKING,
)
ENDED = (Phase.LIVE, Phase.ROLLED_BACK)

_GOOD_NEWS: dict[tuple[Phase, Event], Phase] = {
    (Phase.PREPARING, Event.PREPARED): Phase.STARTING,
    (Phase.PREPARING, Event.MIGRATION_DUE): Phase.MIGRATING,
    (Phase.MIGRATING, Event.MIGRATION_DUE): Phase.MIGRATING,
    (Phase.MIGRATING, Event.MIGRATED): Phase.STARTING,
    (Phase.STARTING, Event.READY): Phase.TESTING,
    (Phase.TESTING, Event.TESTS_PASSED): Phase.SHIFTING,
    (Phase.TESTING, Event.APPROVAL_ASKED): Phase.APPROVING,
    (Phase.APPROVING, Event.APPROVED): Phase.SHIFTING,
    (Phase.SHIFTING, Event.STEP_PASSED): Phase.SHIFTING,
    (Phase.SHIFTING, Event.FULLY_SHIFTED): Phase.BAKING,
    (Phase.BAKING, Event.BAKED): Phase.FINALIZING,
    (Phase.FINALIZING, Event.FINALIZED): Phase.LIVE,
    (Phase.RETREATING, Event.RESTORED): Phase.ROLLED_BACK,
}

TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = MappingProxyType(
    _GOOD_NEWS
    | {(phase, event): Phase.RETREATING for phase in REVERSIBLE for event in BAD_NEWS}
    | {(phase, event): phase for phase in (Phase.FINALIZING, Phase.RETREATING) for event in BAD_NEWS}
)


class ImpossibleEventError(Exception):
    """An event that this phase cannot have: a defect of the caller. The rollout is unchanged."""


def advance(
    rollout: Rollout,
    event: Event,
    *,
    now: float,
    canary_percent: int | None = None,
    reasons: tuple[Reason, ...] = (),
) -> Rollout:
    """The rollout after `event` at `now` (epoch seconds).

    `canary_percent` is the share of the new colour intended from now on; a retreat always intends 0, a
    finalize always 100. Reasons are added once, oldest first. Raises `ImpossibleEventError` for an event
    that is not in the table.
    """
    phase = TRANSITIONS.get((rollout.phase, event))
    if phase is None:
        msg = f"a rollout that is {rollout.phase} cannot become {event!s}"
        raise ImpossibleEventError(msg)
    return replace(
        rollout,
        phase=phase,
        canary_percent=_intended_percent(phase, rollout.canary_percent if canary_percent is None else canary_percent),
        changed_at=now,
        reasons=rollout.reasons + tuple(reason for reason in reasons if reason not in rollout.reasons),
    )


def _intended_percent(phase: Phase, asked: int) -> int:
    if phase in (Phase.RETREATING, Phase.ROLLED_BACK):
        return 0
    if phase in (Phase.FINALIZING, Phase.LIVE):
        return 100
    return asked


def render_diagram() -> str:
    """The table as a Mermaid state diagram; events that do the same between two phases share an arrow."""
    arrows: dict[tuple[Phase, Phase], list[Event]] = {}
    for (phase, event), following in TRANSITIONS.items():
        arrows.setdefault((phase, following), []).append(event)
    lines = ["stateDiagram-v2", "    [*] --> preparing"]
    for (phase, following), events in arrows.items():
        label = "bad news" if frozenset(events) == BAD_NEWS else ", ".join(str(event) for event in events)
        lines.append(f"    {_identifier(phase)} --> {_identifier(following)}: {label}")
    lines += [f"    {_identifier(phase)} --> [*]" for phase in ENDED]
    return "\n".join(lines) + "\n"


def _identifier(phase: Phase) -> str:
    return phase.value.replace(" ", "_")


if __name__ == "__main__":
    print(render_diagram(), end="")
