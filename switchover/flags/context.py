"""Who asks: the targeting key and the attributes that rules look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TARGETING_KEY: Final = "targetingKey"
"""What flagd's rules, OpenFeature and mappings call the targeting key."""


class Context:
    """The targeting key (a user, a session, a host) and attributes of any JSON type. Build it once per request.

    Nothing is checked here, since this may stand on the path of every request: a rule that cannot use what it
    finds does not match, as in flagd. The attributes are not copied; do not change them while flags are asked.
    """

    __slots__ = ("attributes", "targeting_key")

    def __init__(self, targeting_key: str | None = None, attributes: Mapping[str, object] | None = None) -> None:
        self.targeting_key = targeting_key
        self.attributes: Mapping[str, object] = {} if attributes is None else attributes

    def __repr__(self) -> str:
        """The key and the names of the attributes; values may be personal."""
        return f"Context({self.targeting_key!r}, {sorted(map(str, self.attributes))})"


NOBODY = Context()
