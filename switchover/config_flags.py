"""The table of switchover.toml about feature flags: where they are kept, and where code asks them."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from switchover.config_values import Section

# A URL with a password: switchover.toml is committed, the password is not.
_WITH_PASSWORD = re.compile(r"^[a-z+]+://[^/@]*:[^/@]*@")


class FlagsConfig(Section):
    """Feature flags: where the set is kept, and how their debt is found. See docs/feature-flags.md."""

    store: str = Field(
        "file:flags.json",
        min_length=1,
        description="Where the flags are kept: `file:flags.json` (relative to this file), `redis://host/0?set=shop` "
        "and its kin; SWITCHOVER_FLAGS and --store say otherwise.",
    )
    sources: tuple[str, ...] = Field(
        (".",), min_length=1, description="Folders of Python code that ask flags, relative to this file."
    )
    stale_days: int = Field(
        30, ge=1, le=3650, description="A flag that has served one value for this long is reported as stale."
    )

    @field_validator("store")
    @classmethod
    def _keeps_no_secret(cls, value: str) -> str:
        if _WITH_PASSWORD.match(value):
            msg = "a password does not belong into this file: put it into SWITCHOVER_FLAGS_PASSWORD"
            raise ValueError(msg)
        return value
