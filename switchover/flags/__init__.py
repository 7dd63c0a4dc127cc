"""Feature flags: asked in well under a microsecond, changed everywhere within milliseconds.

`open_client` is where an application begins; `docs/feature-flags.md` is the five-minute start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.opening import open_client, open_store
from switchover.flags.resolution import Detail, ErrorCode, Reason

if TYPE_CHECKING:
    from switchover.flags.rules import (
        all_of,
        any_of,
        build_targeting,
        for_groups,
        for_users,
        gradual_rollout,
        internal_team,
        percentage,
        variants,
        when,
    )

__all__ = [
    "Client",
    "Context",
    "Detail",
    "ErrorCode",
    "Reason",
    "all_of",
    "any_of",
    "build_targeting",
    "for_groups",
    "for_users",
    "gradual_rollout",
    "internal_team",
    "open_client",
    "open_store",
    "percentage",
    "variants",
    "when",
]


def __getattr__(name: str) -> Any:
    """The builders of rules, imported when they are first named: an application that only asks needs none."""
    if name in __all__:
        return getattr(importlib.import_module("switchover.flags.rules"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
