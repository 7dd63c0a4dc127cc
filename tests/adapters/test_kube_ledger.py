"""What the ledger in a cluster promises beyond the contract of every ledger."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_history import KEPT_ENTRIES, is_pruning
from switchover.adapters.kube_kinds import CONFIG_MAP, KubeObject, name_of
from switchover.adapters.kube_ledger import KubeLedger
from switchover.adapters.kube_names import label_value, object_name
from switchover.adapters.record_json import dump_entry
from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, TargetError
from switchover.model import HistoryEntry
from tests.builders import a_begun_record, a_live_record, an_entry
from tests.kube_emulator import KubeEmulator

NAME = "switchover-production"


@pytest.fixture
def emulated(kube_emulator: KubeEmulator) -> Iterator[KubeApi]:
    api = kube_emulator.api()
    yield api
    api.close()


@pytest.fixture
def ledger(emulated: KubeApi) -> KubeLedger:
    return KubeLedger(emulated, "production")


def stored(api: KubeApi, name: str = NAME) -> KubeObject:
    found = api.read(CONFIG_MAP, name)
    assert found is not None
    return found


def test_of_many_who_write_at_once_one_succeeds(kube_api: KubeApi) -> None:
    record = KubeLedger(kube_api, "production").write(replace(a_live_record(), revision=0))

    def take(epoch: int) -> bool:
        try:
            KubeLedger(kube_api, "production").write(replace(record, epoch=epoch))
        except LedgerConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(take, range(10, 16)))
    assert sum(outcomes) == 1
    assert KubeLedger(kube_api, "production").read_epoch() == 10 + outcomes.index(True)


def test_of_many_who_make_it_at_once_one_succeeds(kube_api: KubeApi) -> None:
    def make(_: int) -> bool:
        ledger = KubeLedger(kube_api, "production")
        try:
            ledger.write(replace(a_live_record(), revision=0))
        except LedgerConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(4))) == 1


def test_the_revision_counts_even_when_a_restored_object_has_another_version(
    kube_emulator: KubeEmulator, emulated: KubeApi, ledger: KubeLedger
) -> None:
    first = ledger.write(replace(a_live_record(), revision=0))
    backup = stored(emulated)["data"]
    second = ledger.write(first)
    emulated.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": backup})
    with pytest.raises(LedgerConflictError, match="revision 1"):
        ledger.write(second)
    assert kube_emulator.get(CONFIG_MAP, NAME)["data"] == backup


def test_labels_and_annotations_of_others_stay(emulated: KubeApi, ledger: KubeLedger) -> None:
    record = ledger.write(replace(a_live_record(), revision=0))
    add = {"op": "add", "path": "/metadata/labels/backup", "value": "nightly"}
    emulated.patch(CONFIG_MAP, NAME, [add])
    ledger.write(record)
    assert stored(emulated)["metadata"]["labels"]["backup"] == "nightly"


def test_a_write_whose_answer_was_lost_is_recognized(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    first = ledger.write(replace(a_begun_record(), revision=0))
    kube_emulator.fail(500, method="PUT", after=True)
    assert ledger.write(first) == ledger.read()


def test_a_write_that_did_not_happen_says_so(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    first = ledger.write(replace(a_begun_record(), revision=0))
    kube_emulator.fail(500, method="PUT")
    with pytest.raises(TargetError, match="told to fail"):
        ledger.write(first)
    assert ledger.read() == first


def test_two_environments_of_one_namespace_do_not_meet(kube_api: KubeApi) -> None:
    production, staging = KubeLedger(kube_api, "production"), KubeLedger(kube_api, "staging")
    production.append_history(an_entry("1.0.0"))
    production.write(production.read())
    assert staging.read().revision == 0
    assert staging.read_history() == ()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "(none)"),
        ({"format": "1"}, "the fields format"),
        ({"format": "x", "document": "{}"}, "document, format"),
        ({"format": "1", "document": "no json"}, "Invalid JSON"),
        ({"format": "1", "document": '{"environment": "production", "moon": 1}'}, "moon"),
        ({"format": "2", "document": "{}"}, "newer switchover"),
        ({"format": "1", "document": '{"environment": "staging"}'}, "another environment"),
    ],
)
def test_what_switchover_did_not_write_is_not_read(
    emulated: KubeApi, ledger: KubeLedger, data: dict[str, str], says: str
) -> None:
    emulated.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": data})
    for action in (ledger.read, lambda: ledger.write(replace(a_live_record(), revision=1))):
        with pytest.raises(LedgerUnreadableError) as raised:
            action()
        assert says in str(raised.value)
    assert stored(emulated).get("data", {}) == data


def test_a_missing_record_is_a_lost_one_while_something_runs(emulated: KubeApi) -> None:
    ledger = KubeLedger(emulated, "production", lambda: ("shop-blue",))
    with pytest.raises(LedgerUnreadableError, match="shop-blue"):
        ledger.read()


def test_a_record_that_does_not_fit_is_refused_before_it_is_sent(ledger: KubeLedger) -> None:
    record = a_begun_record()
    service = record.services["shop"]
    large = {f"service-{number}": service for number in range(1500)}
    with pytest.raises(InputError, match="at most 1,000,000 bytes"):
        ledger.write(replace(record, revision=0, services=large))
    assert ledger.read().revision == 0


@pytest.mark.parametrize("rollout_id", ["Run/1.0.0+build_7", "x" * 300, "Ä", "run-1.0.0"])
def test_any_id_becomes_an_entry_of_its_own(kube_api: KubeApi, rollout_id: str) -> None:
    ledger = KubeLedger(kube_api, "Production_EU")
    for each in (rollout_id, rollout_id + "-2", rollout_id.lower()):
        ledger.append_history(replace(an_entry("1.0.0"), id=each))
    expected = {rollout_id, rollout_id + "-2", rollout_id.lower()}
    assert {entry.id for entry in ledger.read_history()} == expected


def test_names_and_labels_of_different_texts_differ() -> None:
    assert object_name("switchover", "production") == "switchover-production"
    assert len({object_name("a", text) for text in ("B", "b", "b_", "b.", "b-")}) == 5
    assert label_value("production") == "production"
    assert len(label_value("x" * 64)) == 63
    assert label_value("-") != label_value("_")


def entries(emulator: KubeEmulator) -> list[KubeObject]:
    return emulator.store.list(CONFIG_MAP, emulator.namespace)


def crowd(emulator: KubeEmulator, template: KubeObject, first: HistoryEntry, number_of: int) -> None:
    """Entries like this one, each a second newer than the one before, put past the API."""
    for number in range(number_of):
        entry = replace(first, id=f"{first.id}-{number}", ended_at=first.ended_at + number)
        annotations = {**template["metadata"]["annotations"], "switchover.dev/ended-at": repr(entry.ended_at)}
        kept = {"labels": template["metadata"]["labels"], "annotations": annotations}
        data = {**template["data"], "document": dump_entry(entry)}
        emulator.put({**template, "metadata": {"name": f"entry-{number}", **kept}, "data": data})


def pruning_entry(outcome: str, ended_at: float) -> HistoryEntry:
    """One with which the ledger looks for old ones."""
    ids = (f"run-{number}" for number in count())
    found = next(each for each in ids if is_pruning(object_name("switchover", "production", "history", each)))
    return replace(an_entry("2.0.0", outcome=outcome, ended_at=ended_at), id=found)


def test_the_oldest_entries_of_a_service_go_when_there_are_too_many(
    kube_emulator: KubeEmulator, ledger: KubeLedger
) -> None:
    other = replace(an_entry("0.0.1", ended_at=0.0), service="cart", id="of another service")
    ledger.append_history(other)
    bad = an_entry("0.0.1", outcome="rolled back", ended_at=1.0)
    ledger.append_history(bad)
    template = next(each for each in entries(kube_emulator) if "0.0.1-1.0" in each["data"]["document"])
    crowd(kube_emulator, template, replace(bad, ended_at=2.0), KEPT_ENTRIES)
    ledger.append_history(pruning_entry("rolled back", 9999.0))
    left = ledger.read_history("shop", 2 * KEPT_ENTRIES)
    assert len(left) == KEPT_ENTRIES
    assert {bad.id, f"{bad.id}-0"}.isdisjoint({each.id for each in left})
    assert ledger.read_history("cart") == (other,)


def test_the_last_ten_that_came_live_stay_however_old_they_are(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    for number in range(12):
        ledger.append_history(an_entry(f"1.{number}.0", ended_at=float(number)))
    bad = an_entry("2.0.0", outcome="rolled back", ended_at=100.0)
    crowd(kube_emulator, entries(kube_emulator)[0], bad, KEPT_ENTRIES)
    ledger.append_history(pruning_entry("rolled back", 9999.0))
    live = [each.to_version for each in ledger.read_history("shop", 2 * KEPT_ENTRIES) if each.outcome == "live"]
    assert live == [f"1.{number}.0" for number in range(11, 1, -1)]


def test_most_entries_are_written_without_a_look_at_the_others(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    for number in range(60):
        ledger.append_history(an_entry("1.0.0", ended_at=float(number)))
    looks = [path for method, path in kube_emulator.calls if method == "GET"]
    assert 0 < len(looks) < 15


@pytest.mark.parametrize("service", ["shop", "Ä" * 70])
def test_the_history_of_a_service_is_asked_for_alone(
    kube_emulator: KubeEmulator, ledger: KubeLedger, service: str
) -> None:
    mine = replace(an_entry("1.0.0"), service=service)
    for each in (mine, replace(an_entry("2.0.0", ended_at=9.0), service="cart")):
        ledger.append_history(each)
    assert ledger.read_history(service) == (mine,)
    (stored,) = (each for each in entries(kube_emulator) if "2.0.0" not in each["data"]["document"])
    assert stored["metadata"]["labels"]["switchover.dev/service"] == label_value(service)
    kube_emulator.store.delete(CONFIG_MAP, kube_emulator.namespace, name_of(stored))
    assert ledger.read_history(service) == ()


@pytest.mark.parametrize(
    "damage", [{"metadata": {"annotations": {}}}, {"data": {}}, {"data": {"format": "1", "document": "no json"}}]
)
def test_a_damaged_entry_is_told_and_hides_no_other(
    kube_emulator: KubeEmulator, ledger: KubeLedger, caplog: pytest.LogCaptureFixture, damage: KubeObject
) -> None:
    ledger.append_history(an_entry("1.0.0"))
    entry = entries(kube_emulator)[0]
    kube_emulator.put({**entry, **damage, "metadata": {**entry["metadata"], **damage.get("metadata", {})}})
    ledger.append_history(an_entry("1.1.0"))
    assert [each.to_version for each in ledger.read_history("shop")] == ["1.1.0"]
    assert name_of(entry) in caplog.text
