from __future__ import annotations

from dataclasses import replace

from switchover.decide.unneeded_copies import KEPT_RELEASES, find_unneeded_copies
from switchover.model import ConfigCopy, HistoryEntry, Manifest, ServiceRecord, Slot, Workload
from tests.builders import WORKLOAD, a_begun_record, a_live_record, an_entry, the_rollout, with_service


def a_copy(name: str) -> ConfigCopy:
    return ConfigCopy("ConfigMap", "config", name)


def needing(name: str) -> Workload:
    return replace(WORKLOAD, manifest=Manifest("[]", "app", "example.com/shop", "http", (a_copy(name),)))


def an_entry_needing(name: str, outcome: str = "live", service: str = "shop") -> HistoryEntry:
    return replace(an_entry("1.0.0"), service=service, outcome=outcome, workload=needing(name))


def test_what_a_slot_or_a_rollout_has_is_needed() -> None:
    record = a_begun_record()
    rollout = replace(the_rollout(record), workload=needing("new"))
    record = with_service(record, blue=Slot(None, needing("blue")), rollout=rollout)
    history = [an_entry_needing(name, "rolled back") for name in ("new", "old", "blue", "old")]
    assert find_unneeded_copies(record, history) == (a_copy("old"),)


def test_of_the_history_the_last_releases_that_came_live_are_needed() -> None:
    history = [an_entry_needing("failed", "rolled back")]
    history += [an_entry_needing(f"live-{number}") for number in range(KEPT_RELEASES + 2)]
    history += [an_entry_needing("live-0"), an_entry_needing("cart", service="cart")]
    gone = tuple(a_copy(f"live-{KEPT_RELEASES + number}") for number in range(2))
    assert find_unneeded_copies(a_live_record(), history) == (a_copy("failed"), *gone)


def test_a_service_without_manifests_has_none() -> None:
    record = replace(a_live_record(), services={"shop": ServiceRecord()})
    assert find_unneeded_copies(record, [an_entry("1.0.0")]) == ()
