"""An extension of supervisord's XML-RPC interface: environment variables that live in its memory only.

supervisord loads this through `[rpcinterface:switchover]`. Secrets given here are handed to the programs of a
group at every start and are in no file; they end with the daemon.
"""

from __future__ import annotations

from typing import Any, Protocol


class _Daemon(Protocol):
    process_groups: dict[str, Any]


class SecretsInterface:
    """The methods below `switchover.` of the daemon's XML-RPC interface."""

    def __init__(self, daemon: _Daemon) -> None:
        self._daemon = daemon

    def setSecrets(self, group: str, variables: dict[str, str]) -> bool:  # noqa: N802 - supervisor's own style
        """Add `variables` to the environment of every program of `group`, from its next start on."""
        for process in self._daemon.process_groups[group].processes.values():
            process.config.environment = {**(process.config.environment or {}), **variables}
        return True


def make_interface(daemon: _Daemon) -> SecretsInterface:
    """Build the extension, as supervisord asks for it."""
    return SecretsInterface(daemon)
