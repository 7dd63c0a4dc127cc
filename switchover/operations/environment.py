"""The ports of one environment, gathered: what every operation is handed."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.ports import Clock, Ledger, Migrator, Notifier, Preflight, Prober, Releases, Router, Signals, Slots


@dataclass(frozen=True, slots=True)
class EnvironmentPorts:
    """One environment's connections to the world."""

    name: str
    ledger: Ledger
    slots: Slots
    router: Router
    signals: Signals
    prober: Prober
    preflight: Preflight
    migrator: Migrator
    releases: Releases
    notifier: Notifier
    clock: Clock
