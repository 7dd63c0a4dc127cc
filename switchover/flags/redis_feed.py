"""Brings a set in Redis to a client: from a file at once, then from the server by a thread of its own.

This file imports no Redis client, since that alone takes longer than a cold start may: the thread does.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import secrets
import socket
import threading
from pathlib import Path
from typing import Final, Literal

from switchover.flags.forks import IMPORTING
from switchover.flags.last_known_good import LastKnownGood, usual_path
from switchover.flags.ports import Listener
from switchover.flags.redis_form import StoredSet
from switchover.flags.redis_place import RedisPlace, read_redis_place

_JOIN_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)


class RedisFeed:
    """Port `FlagFeed`.

    `last_known_good` is the file that keeps the set for a start without Redis: "usual" is one in the user's state
    folder (`last_known_good.usual_path`), None keeps none. `instance` names this process among the live ones; a forked
    child adds its number. Raises `InputError` for a place that cannot be parsed, and nothing ever after.
    """

    def __init__(
        self,
        place: str | RedisPlace,
        *,
        last_known_good: Path | Literal["usual"] | None = "usual",
        instance: str | None = None,
    ) -> None:
        self._place = read_redis_place(place) if isinstance(place, str) else place
        name = self._place.set_name
        path = usual_path(str(self._place), name) if last_known_good == "usual" else last_known_good
        self._kept = LastKnownGood(path, name) if path else None
        self._instance = instance
        self._maker = os.getpid()
        self._held: StoredSet | None = None
        self._thread: threading.Thread | None = None
        self._owner = 0
        self._stopping = threading.Event()

    def __repr__(self) -> str:
        return f"RedisFeed({str(self._place)!r})"

    def start(self, listener: Listener) -> None:
        """Hand on what is known already and begin to follow. In a forked child too, after the parent has started it."""
        self.stop()
        age = None
        if self._held is None and self._kept:
            self._held, age = self._kept.read(), self._kept.age_seconds()
        if self._held is not None:
            listener.replace(self._held.snapshot, vouched=False, age_seconds=age)
        self._stopping = threading.Event()
        self._owner = os.getpid()
        self._thread = threading.Thread(
            target=self._run, args=(listener, self._stopping), name="switchover-flags-redis", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as error:
            self._thread = None
            listener.lose(f"no thread can be started: {error}")
            return
        # A process that ends without closing its client would be named as one that fell silent.
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the thread and wait for it, up to 3 s. In a forked child there is none to wait for."""
        atexit.unregister(self.stop)
        thread, self._thread = self._thread, None
        if thread is None or self._owner != os.getpid():
            return
        self._stopping.set()
        if thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def _run(self, listener: Listener, stopping: threading.Event) -> None:
        try:
            with IMPORTING:
                module = importlib.import_module("switchover.flags.redis_follower")
            module.Follower(
                self._place, listener, self._held, self._hold, self._kept, self._name_instance(), stopping
            ).run()
        except Exception as error:  # noqa: BLE001 - an application never sees one of these
            _log.error("the flags cannot be followed", exc_info=error)
            listener.lose(f"{type(error).__name__} in the thread that follows {self._place}")

    def _hold(self, stored: StoredSet) -> None:
        self._held = stored

    def _name_instance(self) -> str:
        if self._instance is None:
            return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        return self._instance if os.getpid() == self._maker else f"{self._instance}-{os.getpid()}"
