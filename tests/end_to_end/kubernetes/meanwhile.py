"""Waiting for how far a deployment has come that runs beside a test, and what is between two tests."""

from __future__ import annotations

from collections.abc import Callable

from switchover.adapters.waiting import wait_until
from switchover.model import HistoryEntry, Phase, Rollout
from tests.end_to_end.kubernetes.attempt import Attempt
from tests.end_to_end.kubernetes.project import SERVICE, Shop

_SECONDS = 60.0


def bring_live_unwatched(shop: Shop, version: str) -> None:
    """Make sure that this version is live, with no users to judge it by; the settings stay."""
    before = {name: shop.settings[name] for name in ("hold_seconds", "bake_seconds", "environment")}
    shop.configure(hold_seconds=0, bake_seconds=0, environment="")
    shop.bring_live(version)
    shop.configure(**before)


def await_share(shop: Shop, percent: int) -> None:
    """Wait until the route gives the new colour of the rollout in flight this share."""

    def given() -> bool:
        rollout, route = _rollout_of(shop), shop.ports.router.read_route(SERVICE)
        shifting = rollout is not None and rollout.phase is Phase.SHIFTING and rollout.canary_percent == percent
        return shifting and rollout is not None and route is not None and route.percent(rollout.new_colour) == percent

    assert wait_until(given, _SECONDS, 0.1), f"the new colour never had {percent} %: {_rollout_of(shop)}"


def await_closed(shop: Shop, within: float = _SECONDS) -> None:
    """Wait until nothing is in flight and nobody holds the environment."""

    def closed() -> bool:
        record = shop.ports.ledger.read()
        return record.lease is None and all(service.rollout is None for service in record.services.values())

    await_true(closed, "the rollout to end", within)


def await_true(condition: Callable[[], bool], what: str, within: float = 30.0) -> None:
    assert wait_until(condition, within, 0.2), f"waited {within:.0f} s for {what}"


def entry_of(attempt: Attempt) -> HistoryEntry:
    """What the history says of a deployment that its own process has ended."""
    assert attempt.entry is not None, attempt.message
    return attempt.entry


def _rollout_of(shop: Shop) -> Rollout | None:
    service = shop.ports.ledger.read().services.get(SERVICE)
    return service.rollout if service else None
