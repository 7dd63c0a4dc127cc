"""Whether the Sentinels still name the primary that a process listens to.

A primary that was replaced answers for many seconds as if nothing had happened, until it is told; whoever listens to
it hears of no change meanwhile.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import redis

from switchover.flags.redis_connection import Patience, open_sentinel, send
from switchover.flags.redis_place import RedisPlace
from switchover.flags.redis_trouble import TROUBLE, ElsewhereError

_REST_SECONDS: Final = 5.0


class PrimaryWatch:
    """Asks one Sentinel on a kept connection; where that fails, the next one after a rest."""

    def __init__(self, place: RedisPlace, patience: Patience, listened_to: redis.Redis) -> None:
        self._place = place
        self._patience = patience
        known = listened_to.connection_pool.connection_kwargs
        self._address = (str(known["host"]), int(known["port"]))
        self._next = 0
        self._rests_until = 0.0
        self._sentinel: redis.Redis | None = None

    def look(self) -> None:
        """Raise `ElsewhereError` when another primary is named. Sentinels that say nothing are no trouble."""
        if time.monotonic() < self._rests_until:
            return
        try:
            if self._sentinel is None:
                self._sentinel = open_sentinel(self._place, self._next, self._patience)
            named = send(self._sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._place.primary)
        except TROUBLE:
            self.close()
            self._next = (self._next + 1) % len(self._place.hosts)
            self._rests_until = time.monotonic() + _REST_SECONDS
            return
        if named and (named[0].decode(), int(named[1])) != self._address:
            raise ElsewhereError(f"the Sentinels name {named[0].decode()}:{int(named[1])} now")

    def close(self) -> None:
        """Give the connection back."""
        if self._sentinel is not None:
            with suppress(*TROUBLE):
                self._sentinel.close()
        self._sentinel = None
