"""One connection of an application to its set: the questions that it asks, each answered in well under a second."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import NoPermissionError, NoScriptError, ReadOnlyError, ResponseError

from switchover.flags.redis_connection import Patience, open_connection, send
from switchover.flags.redis_form import (
    HEAD_FIELDS,
    REMEMBERED_MS,
    Head,
    keys_of,
    read_head,
    split_set,
    write_json,
)
from switchover.flags.redis_place import Kind, RedisPlace
from switchover.flags.redis_scripts import ACKNOWLEDGE, digest
from switchover.flags.redis_sentinels import PrimaryWatch
from switchover.flags.redis_trouble import advise, explain
from switchover.flags.snapshot import Json, Part

BLOCK_MS: Final = 300
ENTRIES: Final = 64
PATIENCE: Final = Patience(connect_seconds=0.5, read_seconds=0.65)
"""An answer may take a third of a second longer than the server was told to wait for a change."""

_log = logging.getLogger(__name__)
_REFUSALS = ("READONLY", "OOM", "MISCONF", "NOREPLICAS")


class RedisLink:
    """Opened for one stretch; after any error it is closed and another one is opened.

    Raises `redis_trouble.TROUBLE` and `redis_form.MalformedError`.
    """

    def __init__(self, place: RedisPlace, instance: str) -> None:
        self._place = place
        self._instance = instance
        self._keys = keys_of(place.set_name)
        self._connection = open_connection(place, PATIENCE)
        watched = place.kind is Kind.SENTINEL
        self._watch = PrimaryWatch(place, PATIENCE, self._connection) if watched else None
        self._refused = ""

    def close(self) -> None:
        """Give the connections back."""
        if self._watch:
            self._watch.close()
        self._connection.close()

    def acknowledge(self, said: dict[str, Json]) -> Head | None:
        """Say what is served, and hear what the set is now, in one round trip; None: there is no set.

        A server that will not be written to (a replica, no memory, no right) still answers: who reads only is not
        seen among the live processes, which is logged once.
        """
        if self._watch:
            self._watch.look()
        keys = (self._keys.live, self._keys.seen)
        words = (self._instance, write_json(said), str(REMEMBERED_MS))
        steps = self._connection.pipeline(transaction=False)
        steps.hmget(self._keys.set, list(HEAD_FIELDS))
        send(steps, "EVALSHA", digest(ACKNOWLEDGE), 2, *keys, *words)
        head, heard = steps.execute(raise_on_error=False)
        if isinstance(head, Exception):
            raise head
        try:
            if isinstance(heard, NoScriptError):
                send(self._connection, "EVAL", ACKNOWLEDGE, 2, *keys, *words)
            elif isinstance(heard, Exception):
                raise heard
        except ResponseError as error:
            self._tolerate(error)
        return read_head(head)

    def read_changes(self, after: str, seconds: float) -> Sequence[tuple[bytes, dict[bytes, bytes]]]:
        """The entries after that one, oldest first; none when none has come within these seconds, or within 0.3 s."""
        wait = min(BLOCK_MS, int(seconds * 1000))
        # 0 would be for ever.
        found: Any = self._connection.xread({self._keys.changes: after}, ENTRIES, wait if wait > 0 else None)
        return found[0][1] if found else ()

    def read_set(self) -> tuple[Head | None, dict[Part, bytes]]:
        """The whole set at one moment: a hash is read in one step."""
        fields: Any = self._connection.hgetall(self._keys.set)
        return split_set(fields)

    def say_goodbye(self) -> None:
        """Nobody has to wait for this process any more."""
        steps = self._connection.pipeline(transaction=False)
        steps.zrem(self._keys.seen, self._instance)
        steps.hdel(self._keys.live, self._instance)
        steps.execute(raise_on_error=False)

    def _tolerate(self, error: ResponseError) -> None:
        """Go on reading where only the acknowledgement was refused. The primary may be elsewhere now, however."""
        moved = isinstance(error, ReadOnlyError) and self._place.kind in {Kind.SENTINEL, Kind.CLUSTER}
        refused = isinstance(error, NoPermissionError | ReadOnlyError)
        if moved or not (refused or any(word in str(error) for word in _REFUSALS)):
            raise error
        why = explain(error, self._place)
        if self._refused != why:
            _log.warning("this process is not seen among the live ones of %s: %s; %s", self._place, why, advise(error))
        self._refused = why
