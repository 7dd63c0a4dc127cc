"""Where a task works: a configuration file and an environment in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.connect import connect
from switchover.config import Config, load_config
from switchover.operations.environment import EnvironmentPorts


@dataclass(frozen=True, slots=True)
class Place:
    """Plain names, so that a task's inputs stay data; every task connects for itself."""

    config: str
    environment: str

    def load(self) -> Config:
        """The configuration, read again: it may have been corrected between two tries."""
        return load_config(Path(self.config))

    def connect(self) -> EnvironmentPorts:
        """The environment's ports, with its daemon up."""
        return connect(self.load(), self.environment, start=True)
