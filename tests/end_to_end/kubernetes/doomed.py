"""A deployer in a process of its own that ends itself with SIGKILL at one point of its way.

`python -m tests.end_to_end.kubernetes.doomed FOLDER VERSION POINT`; POINT is JSON as in `Point`, `null` lets it live.
A deployment that fails is taken back in the same process, as the flow's hook does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from switchover.adapters.connect import connect
from switchover.config import Config, load_config
from switchover.decide.rollback import DEPLOY
from switchover.decide.rollout import Event
from switchover.errors import SwitchoverError
from switchover.model import EnvironmentRecord
from switchover.operations.deployment import plan_deploy
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import acquire
from switchover.operations.preflight import require_ready
from switchover.operations.recovery import end_run, take_back_run
from switchover.operations.roll_out import roll_out
from tests.end_to_end.kubernetes.project import ENVIRONMENT, SERVICE
from tests.operations.house import Wrapped

CLAIMED = "claimed"
WRITE = "write"
_APPROVAL_SECONDS = 60.0
_NEVER = "never"


@dataclass(frozen=True, slots=True)
class Point:
    """Where it ends: at the first such `effect` in `phase`, before it happens or after it has.

    The effect `write` is the one write of the ledger that enters the phase; the phase `claimed` is that of an
    environment which is taken with nothing begun yet. `percent` None: whatever the intended share is.
    """

    phase: str
    effect: str
    when: str
    percent: int | None = None


class Suicide:
    """Stands around every effect and ends the whole process at the chosen one."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._state: tuple[str, int | None] = ("", None)

    def __call__(self, name: str, effect: Callable[..., object]) -> Callable[..., object]:
        own = name.rpartition(".")[2]

        def guarded(*arguments: object, **more: object) -> object:
            state = _read_state(arguments[0]) if own == WRITE else self._state
            mine = self._is_here(own, state)
            if mine and self._point.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = effect(*arguments, **more)
            self._state = state
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return guarded

    def _is_here(self, effect: str, state: tuple[str, int | None]) -> bool:
        point = self._point
        entered = effect != WRITE or state != self._state
        return effect == point.effect and state[0] == point.phase and point.percent in (None, state[1]) and entered

    def watch(self, ports: EnvironmentPorts) -> EnvironmentPorts:
        """The same ports, with this around their effects."""
        return replace(
            ports,
            ledger=Wrapped(ports.ledger, {WRITE, "append_history"}, self),  # type: ignore[arg-type]
            slots=Wrapped(ports.slots, {"start", "stop"}, self),  # type: ignore[arg-type]
            router=Wrapped(ports.router, {"set_route"}, self),  # type: ignore[arg-type]
            prober=Wrapped(ports.prober, {"probe"}, self),  # type: ignore[arg-type]
            preflight=Wrapped(ports.preflight, {"back_up"}, self),  # type: ignore[arg-type]
            migrator=Wrapped(ports.migrator, {"migrate"}, self),  # type: ignore[arg-type]
        )


def _read_state(record: object) -> tuple[str, int | None]:
    assert isinstance(record, EnvironmentRecord)
    service = record.services.get(SERVICE)
    if service is None or service.rollout is None:
        return (CLAIMED, None)
    return (service.rollout.phase.value, service.rollout.canary_percent)


def deploy(config: Config, ports: EnvironmentPorts, version: str, *, ask: bool) -> None:
    """Bring it live, and take it back when that fails. With `ask` a person is asked."""
    plan = plan_deploy(config, ports, SERVICE, version, ENVIRONMENT, histories={})
    plan = replace(plan, approval_seconds=_APPROVAL_SECONDS if ask else None)
    require_ready(ports, plan)
    claim = acquire(ports, f"deploy of {SERVICE} {version}", plan.lease_seconds)
    run = uuid.uuid4().hex
    try:
        roll_out(ports, claim, plan, rollout_id=run, kind=DEPLOY, flow_run_id=run)
    except SwitchoverError as error:
        reason = f"{error.problem.failed}: {error.problem.found}"
        take_back_run(ports, run, Event.FAILED, reason)
        end_run(ports, run, reason)
        raise


def main() -> None:
    folder, version, text = sys.argv[1:]
    point = Point(**json.loads(text)) if json.loads(text) else Point(_NEVER, _NEVER, _NEVER)
    config = load_config(Path(folder))
    ports = Suicide(point).watch(connect(config, ENVIRONMENT, start=True))
    try:
        deploy(config, ports, version, ask=point.phase == "approving")
    except SwitchoverError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
