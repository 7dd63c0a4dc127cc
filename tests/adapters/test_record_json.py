from __future__ import annotations

import json

import pytest

from switchover.adapters.record_json import dump_entry, dump_record, load_entry, load_record
from switchover.errors import LedgerUnreadableError
from tests.builders import a_begun_record, an_entry


def test_a_record_with_a_rollout_reads_back_as_it_was() -> None:
    record = a_begun_record()
    assert load_record(dump_record(record)) == record
    assert load_entry(dump_entry(an_entry("1.0.0"))) == an_entry("1.0.0")


def test_a_record_of_an_earlier_version_reads_with_the_defaults_of_what_was_added_since() -> None:
    record = a_begun_record()
    earlier = json.loads(dump_record(record))
    for slot in ("blue", "green"):
        del earlier["services"]["shop"][slot]["workload"]["memory_limit_mb"]
    del earlier["services"]["shop"]["rollout"]["flow_run_id"]
    read = load_record(json.dumps(earlier))
    assert read.services["shop"].blue == record.services["shop"].blue
    rollout = read.services["shop"].rollout
    assert rollout is not None
    assert rollout.flow_run_id is None


@pytest.mark.parametrize("path", [(), ("services", "shop"), ("services", "shop", "rollout", "steps", 0)])
def test_a_field_that_is_not_known_is_refused_by_name_however_deep(path: tuple[str | int, ...]) -> None:
    document = json.loads(dump_record(a_begun_record()))
    place = document
    for step in path:
        place = place[step]
    place["tomorrow"] = 1
    with pytest.raises(LedgerUnreadableError, match="tomorrow"):
        load_record(json.dumps(document))
