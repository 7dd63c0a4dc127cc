"""What the demonstration writes down while it runs, as frozen values. All times are seconds of the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from switchover.model import Colour, Phase, Route

# The phase between the first two scenes: it is not played, it lasts.
LOAD_NUMBER = 2


class Kind(StrEnum):
    """What a phase is there to show."""

    FIRST = "first release"
    HEALTHY = "healthy switch"
    BAD = "bad release"
    UNSEEN = "bad release that no user may see"
    SLOW = "slow release"
    KILLED = "deployer killed"
    BY_HAND = "rollback by hand"


@dataclass(frozen=True, slots=True)
class Scene:
    """One phase of the demonstration as it is planned. `strategy` is the deployment's own word for it."""

    number: int
    version: str
    kind: Kind
    title: str
    live_after: str
    strategy: str = "canary-10"


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of a rollout in the ledger: when it was written, and what it said."""

    at: float
    phase: Phase
    canary_percent: int


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """What the ledger said of one rollout while it was in flight.

    `confirmed_at` is when Envoy's own word and probes through the data plane first showed the whole traffic on
    the old colour after the rollout had begun to retreat; None when that was not seen.
    """

    id: str
    version: str
    new_colour: Colour
    old_colour: Colour | None
    moves: tuple[Move, ...] = ()
    reasons: tuple[str, ...] = ()
    confirmed_at: float | None = None

    def entered(self, phase: Phase) -> float | None:
        """When the rollout first came to this phase; None when it never did."""
        return next((move.at for move in self.moves if move.phase is phase), None)

    @property
    def highest_percent(self) -> int:
        """The largest share that was ever intended for the new colour."""
        return max((move.canary_percent for move in self.moves), default=0)


@dataclass(frozen=True, slots=True)
class EnvironmentCheck:
    """The environment after a phase, by three witnesses: the ledger, Envoy and the running processes."""

    live: Colour | None
    live_version: str | None
    rollout_in_flight: bool
    ledger_route: Route | None
    envoy_route: Route | None
    live_ready: bool
    idle_replicas: int
    processes: int
    expected_processes: int

    def find_troubles(self, version: str) -> tuple[str, ...]:
        """What is wrong, when `version` should be live on exactly one colour; empty when nothing is."""
        checks = (
            (self.live_version != version, f"{self.live_version or 'nothing'} is live instead of {version}"),
            (self.rollout_in_flight, "a rollout is still in flight"),
            (not self.live_ready, "the live colour is not ready"),
            (self.idle_replicas > 0, f"{self.idle_replicas} replicas still wanted on the idle colour"),
            (
                self.ledger_route is None or self.ledger_route != self.envoy_route,
                f"the ledger says {_describe(self.ledger_route)}, Envoy {_describe(self.envoy_route)}",
            ),
            (
                self.live is None or self.ledger_route != Route.giving(self.live, 100),
                f"the traffic is not whole on {self.live or 'one colour'}",
            ),
            (
                self.processes != self.expected_processes,
                f"{self.processes} processes run, {self.expected_processes} should",
            ),
        )
        return tuple(text for wrong, text in checks if wrong)


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase as it went. `triggered_at` is when the process was killed, or when a person asked for a rollback.

    `hook_started_rollback`: whether the failed run's state hook started the `rollback` flow; None where none
    was to be started.
    """

    scene: Scene
    begin: float
    end: float
    outcome: str
    rollout: RolloutRecord | None
    check: EnvironmentCheck
    triggered_at: float | None = None
    hook_started_rollback: bool | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the demonstration as a whole ended. `stopped_by` is empty when every phase was played."""

    played: int
    planned: int
    left_running: tuple[int, ...] = ()
    stopped_by: str = ""


def _describe(route: Route | None) -> str:
    return "nothing" if route is None else f"blue {route.blue_percent} % and green {route.green_percent} %"
