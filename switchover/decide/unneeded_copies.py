"""Which copies of ConfigMaps and Secrets nothing will come back to any more."""

from __future__ import annotations

from collections.abc import Iterable

from switchover.model import ConfigCopy, EnvironmentRecord, HistoryEntry, Phase, Workload

KEPT_RELEASES = 10


def find_unneeded_copies(record: EnvironmentRecord, history: Iterable[HistoryEntry]) -> tuple[ConfigCopy, ...]:
    """Those of the history, which is newest first, that nothing else has.

    That is: no slot, no rollout in flight, and none of the last ten releases of each service that came live.
    """
    services = record.services.values()
    workloads = [slot.workload for service in services for slot in (service.blue, service.green)]
    workloads += [service.rollout.workload for service in services if service.rollout]
    needed = {copy for workload in workloads for copy in _copies(workload)}
    known: dict[ConfigCopy, None] = {}
    seen: dict[str, int] = {}
    for entry in history:
        known |= dict.fromkeys(_copies(entry.workload))
        if entry.outcome == Phase.LIVE.value:
            seen[entry.service] = seen.get(entry.service, 0) + 1
            if seen[entry.service] <= KEPT_RELEASES:
                needed.update(_copies(entry.workload))
    return tuple(copy for copy in known if copy not in needed)


def _copies(workload: Workload | None) -> tuple[ConfigCopy, ...]:
    return workload.manifest.copies if workload and workload.manifest else ()
