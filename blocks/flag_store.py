"""What an operator fills in once per environment: where its flags are kept, with the password of that place.

The block `switchover-flags-<environment>`. Where there is none, SWITCHOVER_FLAGS and [flags] of switchover.toml count.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator

from blocks.server_call import single_try
from switchover.flags.opening import open_store
from switchover.flags.ports import FlagStore


class FlagStoreBlock(Block):
    """Where the flags of an environment are, and who may change them."""

    _block_type_name: ClassVar[str | None] = "Switchover Flag Store"
    _block_type_slug: ClassVar[str | None] = "switchover-flag-store"
    _description: ClassVar[str | None] = "Where the feature flags of one environment are kept, and the password there."

    place: str = Field(
        min_length=1,
        title="Place",
        description="`redis://host:6379/0?set=shop`, `rediss://…`, `redis+sentinel://…` or `file:/path/flags.json`.",
    )
    username: str | None = Field(default=None, title="User", description="The user of Redis' access control list.")
    password: SecretStr | None = Field(default=None, title="Password", description="Its password.")

    @field_validator("place")
    @classmethod
    def _keeps_no_secret(cls, value: str) -> str:
        if "@" in urlsplit(value).netloc:
            msg = "user and password have fields of their own"
            raise ValueError(msg)
        return value

    def write_place(self) -> str:
        """The place with user and password in it: a secret."""
        if self.password is None:
            return self.place
        parts = urlsplit(self.place)
        person = f"{quote(self.username or '', safe='')}:{quote(self.password.get_secret_value(), safe='')}"
        return urlunsplit(parts._replace(netloc=f"{person}@{parts.netloc}"))

    def build(self) -> FlagStore:
        """The store. Raises `InputError` for a place that cannot be read."""
        return open_store(self.write_place())


def name_flag_block(environment: str) -> str:
    """The name of an environment's block."""
    return f"switchover-flags-{environment}"


def read_flag_place(environment: str) -> str | None:
    """The place that an environment's block names, a secret; None where no such block exists.

    Asks the server once and does not wait for one that is gone: then whatever httpx raises is raised.
    """
    with single_try():
        try:
            block = FlagStoreBlock.load(name_flag_block(environment))
        except ValueError:  # Prefect's word for a block, or a type of block, that nobody has made
            return None
    if not isinstance(block, FlagStoreBlock):
        msg = "blocks are read in synchronous code only"
        raise TypeError(msg)
    return block.write_place()
