"""What an operator fills in once per environment: the secrets of its services, and who is told.

The values reach the workloads and the notifier through the environment mapping that `open_local` is given. They
are never a parameter of a flow or task and never stand in a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, SecretStr, field_validator

from blocks.server_call import single_try

RELEASE_BLOCK = "switchover-release-secrets"


class EnvironmentSecrets(Block):
    """The block `switchover-<environment>`: variables of its services, and the address of its notifications."""

    _block_type_name: ClassVar[str | None] = "Switchover Environment Secrets"
    _block_type_slug: ClassVar[str | None] = "switchover-environment-secrets"
    _description: ClassVar[str | None] = "Secret variables of one environment's services and its notification address."

    # A dictionary of secrets would be shown by the server's API; a secret dictionary is not.
    variables: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        title="Secret variables",
        description="Handed to those services whose `secret_variables` in switchover.toml name them.",
    )
    webhook_address: SecretStr | None = Field(
        default=None,
        title="Notification address",
        description="A Slack-compatible webhook; needs [notifications] in switchover.toml.",
    )

    @field_validator("variables")
    @classmethod
    def _holds_texts(cls, value: SecretDict) -> SecretDict:
        if not all(isinstance(each, str) for each in value.get_secret_value().values()):
            msg = "the value of a variable is a text"
            raise ValueError(msg)
        return value

    def merge_into(self, environ: Mapping[str, str], webhook_variable: str) -> dict[str, str]:
        """`environ` with these secrets in it; where both have a variable the block's value counts."""
        merged = {**environ, **self.variables.get_secret_value()}
        if self.webhook_address is not None and webhook_variable:
            merged[webhook_variable] = self.webhook_address.get_secret_value()
        return merged


def name_block(environment: str) -> str:
    """The name of an environment's block."""
    return f"switchover-{environment}"


def read_environ(environment: str, webhook_variable: str, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """`environ` with the environment's block in it; `environ` alone where no such block exists.

    Asks the server once and does not wait for one that is gone: then whatever httpx raises is raised.
    """
    block = _load_block(name_block(environment))
    return environ if block is None else block.merge_into(environ, webhook_variable)


def read_release_environ(environ: Mapping[str, str] = os.environ) -> tuple[Mapping[str, str], frozenset[str]]:
    """`environ` with the secrets of releases in it (tokens, the key that signs), and the names of those.

    They are variables of the block `switchover-release-secrets`; otherwise as `read_environ`.
    """
    block = _load_block(RELEASE_BLOCK)
    if block is None:
        return environ, frozenset()
    return block.merge_into(environ, ""), frozenset(block.variables.get_secret_value())


def _load_block(name: str) -> EnvironmentSecrets | None:
    with single_try():
        try:
            block = EnvironmentSecrets.load(name)
        except ValueError:  # Prefect's word for a block, or a type of block, that nobody has made
            return None
    if not isinstance(block, EnvironmentSecrets):
        msg = "secrets are read in synchronous code only"
        raise TypeError(msg)
    return block
