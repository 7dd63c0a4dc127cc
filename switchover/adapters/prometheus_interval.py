"""How often Prometheus scrapes a gateway: evidence comes no faster, so no silence shorter than that means anything."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from switchover.model import Obstacle

_WINDOW = "[5m:1s]"
_SCRAPES = 2  # one may be late, or fail
_TOLERANCE = 0.95  # scrapes are some milliseconds early or late


def render_interval(times: Iterable[str]) -> str:
    """The query for the seconds between two samples of the process that is scraped most often; at least a second.

    `times` are instant vectors with the times of samples. Where there was one sample only, its answer is empty.
    """
    # Between the first sample in the window and the last lie as many intervals as there were new samples.
    ways = []
    for each in times:
        taken = f"({each}){_WINDOW}"
        ways.append(f"((max_over_time({taken}) - min_over_time({taken})) / (changes({taken}) > 0))")
    return f"min({' or '.join(ways)})"


def find_interval_obstacles(interval: float, no_data_seconds: float) -> tuple[Obstacle, ...]:
    """Whether a good canary would be taken back because nobody was scraped for so long."""
    needed = _SCRAPES * interval
    if no_data_seconds >= needed * _TOLERANCE:
        return ()
    return (
        Obstacle(
            "section `judge` of the environment: no_data_seconds",
            f"at least {needed:.0f} s, which is {_SCRAPES} scrapes of the gateway",
            f"{no_data_seconds:g} s, and Prometheus scrapes the gateway every {interval:.0f} s",
            f"set `no_data_seconds = {ceil(round(needed, 1))}`, or let it scrape more often",
        ),
    )
