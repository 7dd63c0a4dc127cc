"""What an operator knows of an environment beside its ports: where its users reach it, and whether it is stopped."""

from __future__ import annotations

from dataclasses import dataclass

import click

from switchover.adapters.connect import open_local
from switchover.adapters.local_target import LocalTarget
from switchover.config import Config
from switchover.errors import InputError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Asks the target. `target` None: nothing is known beside the ports, on a cluster for example."""

    target: LocalTarget | None = None

    def read_address(self, service: str) -> str | None:
        """Where users reach the service, as `host:port`; None where nobody knows."""
        if self.target is None:
            return None
        try:
            return self.target.read_address(service)
        except InputError:
            return None  # it was never brought up here

    def is_stopped(self) -> bool:
        """Whether nothing of the environment runs: it was stopped, or the machine was. One that is broken is not."""
        target = self.target
        return target is not None and not target.is_running() and not target.environment_processes()


def look_around(config: Config, environment: str) -> Surroundings:
    """The surroundings of an environment, as the running command reaches it."""
    if click.get_current_context().obj is not None or config.environment(environment).kubernetes is not None:
        return Surroundings()
    return Surroundings(open_local(config, environment).target)
