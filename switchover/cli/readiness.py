"""Waiting until what is live answers its users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from switchover.errors import TargetError
from switchover.model import Colour, SlotStatus
from switchover.operations.environment import EnvironmentPorts

_POLL_SECONDS = 0.1
_LOG_LINES = 3


@dataclass(frozen=True, slots=True)
class _Awaited:
    service: str
    version: str
    colour: Colour
    ready_seconds: float
    status: SlotStatus

    def __str__(self) -> str:
        ready = f"{self.status.ready_replicas} of {self.status.wanted_replicas} replicas ready"
        return f"{self.service} {self.version} on {self.colour}: {ready}"

    def is_hopeless(self, waited_seconds: float) -> bool:
        return self.status.wanted_replicas == 0 or waited_seconds >= self.ready_seconds


def await_live(ports: EnvironmentPorts, say: Callable[[str], None]) -> None:
    """Return when every live colour is ready; `say` hears what is waited for whenever it changes.

    Raises `TargetError` naming what is not ready after its own `ready_seconds`.
    """
    begun = ports.clock.now()
    said = ""
    while awaited := _find_awaited(ports):
        if all(one.is_hopeless(ports.clock.now() - begun) for one in awaited):
            raise _not_ready(ports, awaited, ports.clock.now() - begun)
        line = "waiting for " + ", ".join(str(one) for one in awaited)
        if line != said:
            say(line)
            said = line
        ports.clock.sleep(_POLL_SECONDS)


def _find_awaited(ports: EnvironmentPorts) -> tuple[_Awaited, ...]:
    """The live colours that are not ready now."""
    found = []
    for name, service in ports.ledger.read().services.items():
        slot = service.slot(service.live) if service.live else None
        if service.live is None or slot is None or slot.release is None or slot.workload is None:
            continue
        status = ports.slots.read_status(name, service.live)
        if not status.ready:
            found.append(_Awaited(name, slot.release.version, service.live, slot.workload.ready_seconds, status))
    return tuple(found)


def _not_ready(ports: EnvironmentPorts, awaited: tuple[_Awaited, ...], waited_seconds: float) -> TargetError:
    return TargetError(
        f"{ports.name} is up, but not all of it is ready",
        expected="every replica of every live colour to answer its health path",
        found="; ".join(_explain(ports, one) for one in awaited) + f" (after {waited_seconds:.0f} s)",
        next_step="look at `switchover status`; `switchover start` again waits again",
    )


def _explain(ports: EnvironmentPorts, one: _Awaited) -> str:
    log = ports.slots.read_log_tail(one.service, one.colour, _LOG_LINES)
    said = [str(one), one.status.detail, "its log ends with: " + " | ".join(log) if log else ""]
    return ", ".join(part for part in said if part)
