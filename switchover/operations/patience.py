"""Outliving a target that is away for a moment: an API server that restarts must not end a deployment of hours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from switchover.errors import TargetError
from switchover.ports import Clock

PATIENCE_SECONDS = 30.0


class Patience:
    """Swallows what one look after the other meets, for `PATIENCE_SECONDS` from the first of them on.

    One look that goes well starts the time anew. Only for looks: an effect has its own repeats.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Around one look; raises its `TargetError` when the target has been away for too long."""
        try:
            yield
        except TargetError:
            now = self._clock.now()
            self._since = now if self._since is None else self._since
            if now - self._since >= PATIENCE_SECONDS:
                raise
        else:
            self._since = None
