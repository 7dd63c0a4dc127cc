"""A deployer or a rollback that ends itself with SIGKILL before or after one of its effects.

`python -m tests.end_to_end.doomed CONFIG KIND VERSION NUMBER before|after EFFECTS`. KIND is `deploy` or
`rollback`; NUMBER counts effects from 0, -1 lets it live. The names of the effects go to the file EFFECTS.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from switchover.adapters.connect import connect
from switchover.config import Config, load_config
from switchover.decide.rollback import DEPLOY
from switchover.operations.deployment import plan_deploy
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import acquire
from switchover.operations.roll_out import roll_out
from switchover.operations.rollback import RollbackRequest
from tests.operations.house import Wrapped, bring_back

ENVIRONMENT = "production"
SERVICE = "tiny"


class Suicide:
    """Stands around every effect and ends the whole process at the chosen one."""

    def __init__(self, number: int, *, after: bool, effects: Path) -> None:
        self._number = number
        self._after = after
        self._effects = effects
        self._count = 0

    def __call__(self, name: str, effect: Callable[..., object]) -> Callable[..., object]:
        def guarded(*args: object, **kwargs: object) -> object:
            mine = self._count == self._number
            self._count += 1
            with self._effects.open("a", encoding="ascii") as file:
                file.write(name + "\n")
            if mine and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = effect(*args, **kwargs)
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return guarded


def wrap_effects(ports: EnvironmentPorts, wrap: Suicide) -> EnvironmentPorts:
    return replace(
        ports,
        ledger=Wrapped(ports.ledger, {"write", "append_history"}, wrap),  # type: ignore[arg-type]
        slots=Wrapped(ports.slots, {"start", "stop"}, wrap),  # type: ignore[arg-type]
        router=Wrapped(ports.router, {"set_route"}, wrap),  # type: ignore[arg-type]
    )


def deploy(config: Config, ports: EnvironmentPorts, version: str) -> None:
    plan = plan_deploy(config, ports, SERVICE, version, ENVIRONMENT, histories={})
    claim = acquire(ports, f"deploy of {version}", plan.lease_seconds)
    roll_out(ports, claim, plan, rollout_id=f"{version}-{os.getpid()}", kind=DEPLOY)


def roll_back_to(ports: EnvironmentPorts, version: str) -> None:
    bring_back(ports, RollbackRequest(SERVICE, version, "a person", "asked for", f"rollback-{os.getpid()}"))


def main() -> None:
    config_path, kind, version, number, when, effects = sys.argv[1:]
    config = load_config(Path(config_path))
    suicide = Suicide(int(number), after=when == "after", effects=Path(effects))
    ports = wrap_effects(connect(config, ENVIRONMENT, start=True), suicide)
    if kind == "deploy":
        deploy(config, ports, version)
    else:
        roll_back_to(ports, version)


if __name__ == "__main__":
    main()
