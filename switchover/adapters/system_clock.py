"""The real time."""

from __future__ import annotations

import time


class SystemClock:
    """Port `Clock`."""

    def now(self) -> float:
        """Seconds of the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
