"""The port `Signals` on Envoy's statistics."""

from __future__ import annotations

import re

from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_config import cluster_name
from switchover.model import Colour, Tallies, Tally


class EnvoySignals:
    """Exact counts of users' requests, current at the moment of reading; they start at zero when Envoy does."""

    def __init__(self, admin: EnvoyAdmin) -> None:
        self._admin = admin

    def read_tallies(self, service: str) -> dict[Colour, Tallies]:
        """Cumulative counts of finished requests per colour, without probes and health checks; one source, `envoy`.

        An error is a 5xx (also Envoy's own: no connection, reset, timeout after 15 s) or an answer that broke
        off. Slow is a request that took the colour's latency budget or longer, from its first byte to the
        last byte of the answer, also when its user gave up; a user who gives up is no error.
        """
        prefix = f"users.{service}."
        numbers = self._admin.read_numbers(f"^{re.escape(prefix)}")
        return {
            colour: {
                _SOURCE: Tally(
                    *(numbers.get(f"{prefix}{name}.cluster.{cluster_name(service, colour)}", 0) for name in _COUNTERS)
                )
            }
            for colour in Colour
        }


_SOURCE = "envoy"
_COUNTERS = ("requests", "errors", "slow")
