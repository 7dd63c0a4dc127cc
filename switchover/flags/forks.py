"""A forked child (gunicorn with preload, multiprocessing) has no thread of its parent's, so its feeds begin anew.

In the child `restart_after_fork` of every living client and store is called, oldest first. A client then calls
`start` of its recorder and of its feed without a `stop` before: whatever the parent had (threads, locks that somebody
may have held at that moment, connections whose bytes belong to the parent) is not the child's, and is made anew.
"""

from __future__ import annotations

import logging  # noqa: F401 - whoever registers first is asked last: see below
import os
import threading
import weakref
from typing import Final, Protocol

_IMPORT_SECONDS: Final = 5.0


class Restartable(Protocol):
    """What has to do something in a child."""

    def restart_after_fork(self) -> None:
        """Make anew what does not survive a fork. Never raises."""


_alive: dict[int, weakref.ref[Restartable]] = {}


def restart_in_children(who: Restartable) -> None:
    """From now on, as long as `who` lives. It is not kept alive."""
    name = id(who)
    _alive[name] = weakref.ref(who, lambda _gone: _alive.pop(name, None))


def forget(who: Restartable) -> None:
    """Children do not restart it any more."""
    _alive.pop(id(who), None)


def _restart_all() -> None:
    for reference in list(_alive.values()):
        who = reference()
        if who is not None:
            who.restart_after_fork()


class ImportLock:
    """Held by who imports while other threads run, and by a fork: a child made in between would wait for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forking = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Wait for an import to end, but not for ever: it may wait for one of ours."""
        self._forking = self._lock.acquire(timeout=_IMPORT_SECONDS)

    def after_fork(self) -> None:
        """Let the next one in."""
        if self._forking:
            self._forking = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Whoever may hold it is not here."""
        self._forking = False
        self._lock = threading.Lock()


IMPORTING: Final = ImportLock()
"""For threads of our own, which may import for long."""
IMPORTING_BRIEFLY: Final = ImportLock()
"""For what a question may wait for."""

if hasattr(os, "register_at_fork"):
    # First the locks, then those who may want them. Before a fork the order is reversed: logging, which is imported
    # above, takes its lock after ours, since an import that we wait for may want to make a logger.
    for _lock in (IMPORTING, IMPORTING_BRIEFLY):
        os.register_at_fork(
            before=_lock.before_fork, after_in_parent=_lock.after_fork, after_in_child=_lock.after_fork_in_child
        )
    os.register_at_fork(after_in_child=_restart_all)
