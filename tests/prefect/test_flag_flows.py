"""The flows of the flags, on a real server, with a file as the store and a real service."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.flags.changes import new_flag, read_percentage, set_percentage
from switchover.flags.file_store import FileStore
from switchover.flags.snapshot import Json, Note
from switchover.operations.flag_changes import change_flag
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

ANN = {"who": "ann", "why": "all want it"}


def a_store(house: House) -> FileStore:
    """A file beside switchover.toml, where the flows look for it, with one flag at 10 %."""
    store = FileStore(house.folder / "flags.json")
    change_flag(store, "checkout", lambda _: set_percentage(new_flag(), 10), Note("ann", "new", "set"))
    return store


def flag_of(store: FileStore) -> dict[str, Json]:
    flag = store.read().flag("checkout")
    assert isinstance(flag, dict)
    return flag


def test_a_flag_is_killed_and_revived_exactly_by_a_run(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("toggle")
    assert house.wait_ended(house.order("toggle-flag", flag="checkout", state="kill", **ANN)) == "COMPLETED"
    assert store.history()[0].note == Note("ann", "all want it", "kill")
    assert flag_of(store) != before
    assert house.wait_ended(house.order("toggle-flag", flag="checkout", state="revive", **ANN)) == "COMPLETED"
    assert flag_of(store) == before


def test_a_rollout_that_is_not_watched_ends_at_its_last_step(house: House) -> None:
    store = a_store(house)
    house.serve("rollout")
    run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[25, 100], hold_seconds=0, **ANN)
    assert house.wait_ended(run) == "COMPLETED"
    assert read_percentage(flag_of(store)) == 100
    assert [change.note.action for change in store.history()] == ["rollout", "rollout", "set"]


def test_a_rollout_that_is_killed_is_taken_back_by_the_hook_of_its_runner(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("rollout")
    run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[50], hold_seconds=600, **ANN)
    house.wait(lambda: read_percentage(flag_of(store)) == 50, "the first step")
    house.flow_process("serve-rollout", run).kill()
    house.wait(lambda: flag_of(store) == before, "the flag to be back")
    assert house.wait_ended(run) == "CRASHED"
    assert store.history()[0].note.action == "rollback"


def test_a_rollout_that_is_cancelled_is_taken_back(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("rollout")
    run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[50], hold_seconds=600, **ANN)
    house.wait(lambda: read_percentage(flag_of(store)) == 50, "the first step")
    house.set_state(run, "CANCELLING")
    house.wait(lambda: flag_of(store) == before, "the flag to be back")
    assert house.wait_ended(run) == "CANCELLED"


def test_the_weekly_look_leaves_a_report_in_the_ui(house: House) -> None:
    a_store(house)
    Path(house.folder / "app.py").write_text('if client.is_enabled("gone"):\n    pass\n')
    house.serve("hygiene")
    assert house.wait_ended(house.order("flag-hygiene")) == "COMPLETED"
    key = f"flag-debt-{house.environment}"
    (artifact,) = house.server.ask("POST", "/artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
    assert "| gone | referenced but not in the set |" in artifact["data"]
    assert "| checkout | unused in code |" in artifact["data"]
    assert "| checkout | no owner |" in artifact["data"]
