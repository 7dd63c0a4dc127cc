"""The flows of the flags, on a real server, with a file as the store and a real service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from switchover.flags.changes import new_flag, read_percentage, set_percentage
from switchover.flags.file_store import FileStore
from switchover.flags.snapshot import Json, Note
from switchover.flags.toggling import FlagState, toggling
from switchover.operations.flag_changes import change_flag
from tests.local_target_fixtures import ask
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

_log = logging.getLogger("measured")
ANN = {"who": "ann", "why": "all want it"}


def a_store(house: House) -> FileStore:
    """A file beside switchover.toml, where the flows look for it, with one flag at 10 %."""
    store = FileStore(house.folder / "flags.json")
    flag = set_percentage(new_flag(created=date(2026, 1, 1)), 10)
    change_flag(store, "checkout", lambda _: flag, Note("ann", "new", "set"))
    return store


def flag_of(store: FileStore) -> dict[str, Json]:
    flag = store.read().flag("checkout")
    assert isinstance(flag, dict)
    return flag


def lose_a_rollout(house: House, store: FileStore, after_seconds: float = 0) -> str:
    """A rollout whose runner and process were killed while it held its first step."""
    house.serve("rollout")
    run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[50], hold_seconds=600, **ANN)
    house.wait(lambda: read_percentage(flag_of(store)) == 50, "the first step")
    process = house.flow_process("serve-rollout", run)
    time.sleep(after_seconds)
    house.kill("serve-rollout")
    process.wait(timeout=60)
    assert house.run_state(run) == "RUNNING"
    assert read_percentage(flag_of(store)) == 50
    return run


def require_fruitless_return(house: House) -> None:
    """The automation has started the way back, and that ended well."""
    started = house.wait(lambda: house.runs_of("take-flag-back"), "the automation's run")
    assert {house.wait_ended(each["id"]) for each in started} == {"COMPLETED"}


@contextmanager
def users(house: House, path: str) -> Iterator[None]:
    """Somebody asks the service for `path` all the time."""
    address = house.local().target.read_address(SERVICE)
    ended = threading.Event()

    def use() -> None:
        while not ended.wait(0.02):
            ask(address, path)

    user = threading.Thread(target=use)
    user.start()
    try:
        yield
    finally:
        ended.set()
        user.join()


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
    assert [change.note.action for change in store.history()] == ["rolled-out", "rollout", "rollout", "set"]


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


def test_a_rollout_that_lost_its_host_is_taken_back_once_however_many_automations_fire(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("take-flag-back")
    run = lose_a_rollout(house, store)
    house.set_state(run, "CRASHED")
    house.wait(lambda: flag_of(store) == before, "the flag to be back")
    made = store.read().version
    assert store.history()[0].note.action == "rollback"
    assert f"[of run {run}]" in store.history()[0].note.why
    house.set_state(run, "FAILED")
    started = house.wait(lambda: runs if len(runs := house.runs_of("take-flag-back")) >= 2 else None, "another run")
    assert {house.wait_ended(each["id"]) for each in started} == {"COMPLETED"}
    assert {each["parameters"]["failed_run"] for each in started} == {run}
    assert store.read().version == made


@pytest.mark.slow
def test_a_lost_rollout_whose_flag_was_changed_by_hand_is_left_alone(house: House) -> None:
    store = a_store(house)
    house.serve("take-flag-back")
    run = lose_a_rollout(house, store)
    change_flag(store, "checkout", toggling("checkout", FlagState.KILL, None), Note("bob", "a fire", "kill"))
    by_hand = store.read().version
    house.set_state(run, "CRASHED")
    require_fruitless_return(house)
    assert store.read().version == by_hand


@pytest.mark.slow
def test_a_rollout_that_has_ended_well_is_not_taken_back_when_its_run_is_declared_failed(house: House) -> None:
    store = a_store(house)
    house.serve("rollout")
    house.serve("take-flag-back")
    run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[100], hold_seconds=0, **ANN)
    assert house.wait_ended(run) == "COMPLETED"
    house.set_state(run, "CRASHED")
    require_fruitless_return(house)
    assert read_percentage(flag_of(store)) == 100


@pytest.mark.slow
def test_a_rollout_that_lost_its_host_is_taken_back_by_the_heartbeat(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("take-flag-back", silence_seconds=70)
    run = lose_a_rollout(house, store, after_seconds=31)  # let it send one heartbeat at least
    began = time.monotonic()
    house.wait(lambda: flag_of(store) == before, "the flag to be back", seconds=200)
    _log.info("SIGKILL of the runner and the flow's process: flag back after %.1f s", time.monotonic() - began)
    assert house.wait_ended(run) == "CRASHED"


def test_a_watched_rollout_ends_where_the_service_stays_well(house: House) -> None:
    store = a_store(house)
    house.serve("rollout")
    with users(house, "/"):
        run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[50, 100], hold_seconds=5, **ANN)
        assert house.wait_ended(run, seconds=120) == "COMPLETED"
    assert read_percentage(flag_of(store)) == 100


def test_a_watched_rollout_goes_back_when_users_get_errors(house: House) -> None:
    store = a_store(house)
    before = flag_of(store)
    house.serve("rollout")
    with users(house, "/fail"):
        run = house.order("gradual-rollout", flag="checkout", service=SERVICE, steps=[50, 100], hold_seconds=600, **ANN)
        assert house.wait_ended(run, seconds=120) == "FAILED"
    assert flag_of(store) == before
    assert [change.note.action for change in store.history()] == ["rollback", "rollout", "set"]
    assert store.history()[0].note.why.startswith("unhealthy: ")


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
