"""Make the types of blocks known to the server, so that its UI offers their forms: `python -m blocks.register`."""

from __future__ import annotations

from prefect.blocks.core import Block

from blocks.environment_secrets import EnvironmentSecrets
from blocks.flag_store import FlagStoreBlock
from blocks.slack_thread import SlackThread

BLOCKS: tuple[type[Block], ...] = (EnvironmentSecrets, FlagStoreBlock, SlackThread)


def register_blocks() -> tuple[str, ...]:
    """Register every type of block, or bring it up to date; return their slugs."""
    for block in BLOCKS:
        block.register_type_and_schema()
    return tuple(block.get_block_type_slug() for block in BLOCKS)


if __name__ == "__main__":
    register_blocks()
