"""Progress from the ledger: a line whenever the rollout of a service has moved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from switchover.errors import SwitchoverError
from switchover.model import Rollout
from switchover.ports import Ledger

_LOOK_SECONDS = 0.25


@contextmanager
def follow(ledger: Ledger, service: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say every move of the rollout in flight while the body runs."""
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(ledger, service, say, ended), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join(timeout=5)


def _follow(ledger: Ledger, service: str, say: Callable[[str], None], ended: threading.Event) -> None:
    said = ""
    while not ended.is_set():
        try:
            known = ledger.read().services.get(service)
        except SwitchoverError:
            known = None  # whoever changes the ledger meets the same trouble and tells it
        line = describe_move(known.rollout) if known and known.rollout else ""
        if line and line != said:
            say(line)
            said = line
        ended.wait(_LOOK_SECONDS)


def describe_move(rollout: Rollout) -> str:
    """Where the rollout is, in one line, with the reason that was given last."""
    line = f"{rollout.service} {rollout.release.version} on {rollout.new_colour}: {rollout.phase}"
    line += f", {rollout.canary_percent} % of the traffic"
    return f"{line} ({rollout.reasons[-1].message})" if rollout.reasons else line
