"""What goes wrong beside an evaluation is logged, once for each kind, and never reaches who asks."""

from __future__ import annotations

import logging
from typing import Final

from switchover.flags.snapshot import Snapshot

_LOG: Final = logging.getLogger("switchover.flags")


def name_answers(served: Snapshot) -> str:
    """What callers get while the place of the flags cannot be asked; a reason follows."""
    if served.version:
        return "flags are answered from what was known last"
    return "no flags yet: every caller gets its own default"


class Complaints:
    """Logs the first failure of each kind; the kinds are few and fixed, so that this cannot grow."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said: set[str] = set()

    def about(self, kind: str, error: BaseException) -> None:
        """`kind` ends the sentence "… failed". The error's text is left out: it may hold what users sent."""
        if kind in self._said:
            return
        self._said.add(kind)
        _LOG.warning(
            "%s: %s failed with %s; more of this kind is not logged",
            self._name,
            kind,
            type(error).__name__,
            exc_info=error if _LOG.isEnabledFor(logging.DEBUG) else None,
        )
