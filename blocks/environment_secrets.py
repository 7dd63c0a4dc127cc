"""What an operator fills in once per environment: the secrets of its services, and who is told.

The values reach the workloads and the notifier through the environment mapping that `open_local` is given. They
are never a parameter of a flow or task and never stand in a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from pydantic import Field, SecretStr

_ANSWER_SECONDS = 5.0


class EnvironmentSecrets(Block):
    """The block `switchover-<environment>`: variables of its services, and the address of its notifications."""

    _block_type_name: ClassVar[str | None] = "Switchover Environment Secrets"
    _block_type_slug: ClassVar[str | None] = "switchover-environment-secrets"
    _description: ClassVar[str | None] = "Secret variables of one environment's services and its notification address."

    variables: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Secret variables",
        description="Handed to those services whose `secret_variables` in switchover.toml name them.",
    )
    webhook_address: SecretStr | None = Field(
        default=None,
        title="Notification address",
        description="A Slack-compatible webhook; needs [notifications] in switchover.toml.",
    )

    def merge_into(self, environ: Mapping[str, str], webhook_variable: str) -> dict[str, str]:
        """`environ` with these secrets in it; where both have a variable the block's value counts."""
        merged = {**environ, **{name: value.get_secret_value() for name, value in self.variables.items()}}
        if self.webhook_address is not None:
            merged[webhook_variable] = self.webhook_address.get_secret_value()
        return merged


def name_block(environment: str) -> str:
    """The name of an environment's block."""
    return f"switchover-{environment}"


def read_environ(environment: str, webhook_variable: str, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """`environ` with the environment's block in it; `environ` alone where no such block exists.

    Asks the server once and does not wait for one that is gone: then whatever httpx raises is raised.
    """
    quick = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: _ANSWER_SECONDS}
    with temporary_settings(updates=quick):
        try:
            block = EnvironmentSecrets.load(name_block(environment))
        except ValueError:  # Prefect's word for a block, or a type of block, that nobody has made
            return environ
    if not isinstance(block, EnvironmentSecrets):
        msg = "secrets are read in synchronous code only"
        raise TypeError(msg)
    return block.merge_into(environ, webhook_variable)
