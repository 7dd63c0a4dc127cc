"""What the ledger in a cluster promises beyond the contract of every ledger."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from switchover.adapters import kube_ledger
from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import CONFIG_MAP, KubeObject, name_of
from switchover.adapters.kube_ledger import KubeLedger
from switchover.adapters.kube_names import label_value, object_name
from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, TargetError
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


def test_the_oldest_entries_go_when_there_are_too_many(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    ledger.append_history(an_entry("0.0.1", ended_at=1.0))
    template = kube_emulator.store.list(CONFIG_MAP, kube_emulator.namespace)[0]
    for number in range(kube_ledger.KEPT_ENTRIES):
        annotations = {**template["metadata"]["annotations"], "switchover.dev/ended-at": str(float(number + 2))}
        kept = {"labels": template["metadata"]["labels"], "annotations": annotations}
        kube_emulator.put({**template, "metadata": {"name": f"entry-{number}", **kept}})
    ledger.append_history(an_entry("2.0.0", ended_at=9999.0))
    names = [name_of(each) for each in kube_emulator.store.list(CONFIG_MAP, kube_emulator.namespace)]
    assert len(names) == kube_ledger.KEPT_ENTRIES
    assert name_of(template) not in names
    assert "entry-0" not in names


def test_an_entry_without_its_times_is_damaged(kube_emulator: KubeEmulator, ledger: KubeLedger) -> None:
    ledger.append_history(an_entry("1.0.0"))
    entry = kube_emulator.store.list(CONFIG_MAP, kube_emulator.namespace)[0]
    kube_emulator.put({**entry, "metadata": {**entry["metadata"], "annotations": {}}})
    with pytest.raises(LedgerUnreadableError, match="damaged"):
        ledger.read_history()
