"""Waiting for the outside world, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], within_seconds: float, poll_seconds: float = 0.02) -> bool:
    """Ask `condition` at once and then every `poll_seconds`; return whether it came true in time."""
    ends = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() >= ends:
            return False
        time.sleep(poll_seconds)
    return True
