"""Watches the environment from outside while the flows change it: ledger and Envoy, several times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from switchover.demo.records import EnvironmentCheck, Move, RolloutRecord
from switchover.demo.stage import SERVICE
from switchover.errors import SwitchoverError
from switchover.model import Colour, Phase, Rollout, Route, ServiceRecord
from switchover.operations.environment import EnvironmentPorts

_LOOK_SECONDS = 0.04
_ROUTE_EVERY_LOOKS = 6


@dataclass(frozen=True, slots=True)
class Sight:
    """The environment at one moment. `route` is Envoy's own word; versions are empty where nothing runs."""

    at: float
    blue: str
    green: str
    live: Colour | None
    route: Route | None
    rollout: RolloutRecord | None


@dataclass(slots=True)
class Monitor:
    """A thread that looks, from `start` to `stop`. `moved` is called for every new entry of a rollout."""

    ports: EnvironmentPorts
    moved: Callable[[RolloutRecord, Move], None]
    sight: Sight | None = None
    _rollouts: dict[str, RolloutRecord] = field(default_factory=dict)
    _route: Route | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def find(self, version: str, since: float) -> RolloutRecord | None:
        """The newest rollout of `version` that began at or after `since`."""
        found = (each for each in self._rollouts.values() if each.version == version and each.moves[0].at >= since)
        return max(found, key=lambda each: each.moves[0].at, default=None)

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self._look(with_route=looks % _ROUTE_EVERY_LOOKS == 0)
            except SwitchoverError:
                continue  # the router restarts, or the environment is just ending: the next look tells more
            looks += 1

    def _look(self, *, with_route: bool) -> None:
        service = self.ports.ledger.read().services.get(SERVICE, ServiceRecord())
        rollout = self._note(service.rollout) if service.rollout else None
        if rollout is not None and rollout.entered(Phase.RETREATING) and rollout.confirmed_at is None:
            self._confirm(rollout)
        elif with_route:
            self._route = self.ports.router.read_route(SERVICE)
        self.sight = Sight(
            time.time(),
            _version(service, Colour.BLUE),
            _version(service, Colour.GREEN),
            service.live,
            self._route,
            rollout,
        )

    def _note(self, rollout: Rollout) -> RolloutRecord:
        known = self._rollouts.get(rollout.id) or RolloutRecord(
            rollout.id, rollout.release.version, rollout.new_colour, rollout.old_colour
        )
        move = Move(rollout.changed_at, rollout.phase, rollout.canary_percent)
        fresh = not known.moves or (known.moves[-1].phase, known.moves[-1].canary_percent) != (
            move.phase,
            move.canary_percent,
        )
        if fresh:
            known = replace(known, moves=(*known.moves, move))
        known = replace(known, reasons=tuple(reason.message for reason in rollout.reasons))
        self._rollouts[rollout.id] = known
        if fresh:
            self.moved(known, move)
        return known

    def _confirm(self, rollout: RolloutRecord) -> None:
        """Note when Envoy says, and probes through the data plane show, that the old colour has all traffic."""
        self._route = self.ports.router.read_route(SERVICE)
        if rollout.old_colour is None or self._route != Route.giving(rollout.old_colour, 100):
            return
        self.ports.router.confirm_route(SERVICE, self._route)
        self._rollouts[rollout.id] = replace(rollout, confirmed_at=time.time())


def check_environment(ports: EnvironmentPorts, processes: int, expected_processes: int) -> EnvironmentCheck:
    """Ask the ledger, Envoy and the supervisor how the environment stands."""
    record = ports.ledger.read()
    service = record.services.get(SERVICE, ServiceRecord())
    live = service.live
    return EnvironmentCheck(
        live=live,
        live_version=_version(service, live) if live else None,
        rollout_in_flight=service.rollout is not None or record.lease is not None,
        ledger_route=service.route,
        envoy_route=ports.router.read_route(SERVICE),
        live_ready=live is not None and ports.slots.read_status(SERVICE, live).ready,
        idle_replicas=sum(
            ports.slots.read_status(SERVICE, colour).wanted_replicas for colour in Colour if colour is not live
        ),
        processes=processes,
        expected_processes=expected_processes,
    )


def _version(service: ServiceRecord, colour: Colour) -> str:
    release = service.slot(colour).release
    return release.version if release else ""
