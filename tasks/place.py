"""Where a task works: a configuration file and an environment in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from blocks.container_host import open_container_host
from blocks.environment_secrets import name_block, read_environ
from switchover.adapters.connect import connect, connect_for_rollback
from switchover.adapters.environment_facts import EnvironmentFacts, find_facts
from switchover.config import Config, load_config
from switchover.config_sections import NotificationsConfig
from switchover.errors import InputError
from switchover.operations.environment import EnvironmentPorts

if TYPE_CHECKING:
    from switchover.adapters.kube_credentials import Credentials

_log = logging.getLogger("prefect.flow_runs.switchover")
# A hook runs outside of its flow run, where the logger above has nowhere to send to.
_hook_log = logging.getLogger("prefect.switchover")


@dataclass(frozen=True, slots=True)
class Place:
    """Plain names, so that a task's inputs stay data; every task connects for itself."""

    config: str
    environment: str

    def load(self) -> Config:
        """The configuration, read again: it may have been corrected between two tries."""
        return load_config(Path(self.config))

    def connect(self) -> EnvironmentPorts:
        """The environment's ports, with its daemon up, and with the secrets that an operator filled in."""
        config = self.load()
        variable = (config.notifications or NotificationsConfig()).webhook_variable
        return connect(
            config,
            self.environment,
            start=True,
            environ=_read_secrets(self.environment, variable),
            open_client=partial(open_container_host, name_block(self.environment)),
            credentials=_access(EnvironmentFacts.of(config, self.environment)),
        )

    def connect_anyhow(self) -> EnvironmentPorts:
        """As `connect`; where the configuration does not allow that any more, what a rollback needs is enough."""
        try:
            return self.connect()
        except InputError:
            return self.connect_at_once()

    def connect_at_once(self) -> EnvironmentPorts:
        """What takes traffic back, with this process's own variables only: no call to Prefect stands in front.

        The one exception is a cluster whose credentials are in a block and were not read in this process yet.
        Neither does a configuration that was broken since the deployment, or a listener that cannot be placed.
        """
        found = find_facts(Path(self.config), self.environment, lambda _: self.environment)
        if found.warning:
            _hook_log.warning(found.warning)
        return connect_for_rollback(found.facts, start=True, credentials=_access(found.facts))


def _access(facts: EnvironmentFacts) -> Credentials | None:
    if facts.cluster is None:
        return None
    return _open_access(facts.environment, facts.cluster.kubeconfig, facts.cluster.settings.context)


@cache
def _open_access(environment: str, kubeconfig: Path | None, context: str | None) -> Credentials:
    """Kept in the process: what a block said once is known when the server is gone."""
    # A second of imports that a deployment on this machine does not need.
    from blocks.cluster_access import open_cluster_access  # noqa: PLC0415
    from switchover.adapters.kube_credentials import choose_credentials  # noqa: PLC0415

    otherwise = choose_credentials(kubeconfig, context, os.environ)
    explicit = kubeconfig is not None or context is not None
    return open_cluster_access(name_block(environment), otherwise, explicit=explicit)


@cache
def _read_secrets(environment: str, webhook_variable: str) -> Mapping[str, str]:
    """Read once in a process: a changed secret takes effect with the next run, which is a process of its own.

    A server that does not answer must not hold a rollback up; a release that needs an absent secret is refused
    when it is started.
    """
    try:
        return read_environ(environment, webhook_variable)
    except Exception as error:  # noqa: BLE001 whatever the server does, the work goes on
        _log.warning("the block %s could not be read (%s)", name_block(environment), type(error).__name__)
        return os.environ
