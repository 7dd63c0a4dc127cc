"""The port `Signals` where nobody counts requests: the fixed rules alone judge there."""

from __future__ import annotations

from switchover.model import Colour, Tallies


class NoSignals:
    """Has no counting source."""

    def read_tallies(self, service: str) -> dict[Colour, Tallies]:  # noqa: ARG002 nothing is known of any service
        """No source for either colour."""
        return {colour: {} for colour in Colour}
