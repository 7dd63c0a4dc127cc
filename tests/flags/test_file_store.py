"""The embedded store: a file that people, flagd and Kubernetes touch too, and the feed that watches it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore

from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, TargetError
from switchover.flags import file_trail
from switchover.flags.client import Client
from switchover.flags.file_feed import FileFeed
from switchover.flags.file_store import BY_HAND, FileStore
from switchover.flags.flag_size import MAX_SET_BYTES
from switchover.flags.resolution import ErrorCode
from switchover.flags.snapshot import Json, Note, Snapshot
from switchover.flags.status import State
from tests.flags.client_cases import ON_OFF, flag
from tests.flags.redis_cases import Heard
from tests.real_parts.redis_server import wait_for

NOTE = Note("ada", "a test", "set")
ON, OFF = flag(ON_OFF, "on"), flag(ON_OFF, "off")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flags.json"


@pytest.fixture
def store(path: Path) -> FileStore:
    return FileStore(path)


@contextmanager
def watching(path: Path) -> Iterator[Client]:
    with Client(FileFeed(path, interval_seconds=0.02)) as client:
        yield client


def by_hand(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_flagd_reads_the_file(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/new": ON, "$evaluators/e": {"==": [1, 1]}, "metadata/team": "shop"}, NOTE)
    core = FlagdCore()
    core.set_flags(path.read_text())
    assert core.resolve_boolean_value("new", default_value=False).value is True
    assert json.loads(path.read_text())["metadata"]["team"] == "shop"


def test_a_file_of_flagds_is_version_1_and_goes_on_from_there(store: FileStore, path: Path) -> None:
    path.write_text(json.dumps({"flags": {"a": ON}}))
    found = store.read()
    assert (found.version, found.lineage, dict(found.parts)) == (1, "", {"flags/a": ON})
    assert store.write(found, {"flags/b": ON}, NOTE).version == 2
    assert store.read().lineage
    assert [change.version for change in store.history()] == [2]


def test_an_edit_by_hand_is_the_next_version_with_an_entry(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    by_hand(path, lambda document: document["flags"].update(a=OFF, b=ON))
    found = store.read()
    assert found.version == 2
    edit = store.history()[0]
    assert (edit.version, edit.note) == (2, BY_HAND)
    assert dict(edit.before) == {"flags/a": ON, "flags/b": None}
    assert store.write(found, {"flags/c": ON}, NOTE).version == 3
    assert [(change.version, change.note.action) for change in store.history()] == [(3, "set"), (2, "edit"), (1, "set")]
    assert store.read().parts.keys() == {"flags/a", "flags/b", "flags/c"}


def test_one_and_true_are_two_things(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"metadata/a": 1}, NOTE)
    by_hand(path, lambda document: document["metadata"].update(a=True))
    assert store.read().version == 2
    assert dict(store.history()[0].edits) == {"metadata/a": True}


def test_what_was_read_before_an_edit_by_hand_is_not_written_over_it(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    read = store.read()
    by_hand(path, lambda document: document["flags"].update(b=ON))
    with pytest.raises(LedgerConflictError):
        store.write(read, {"flags/a": OFF}, NOTE)
    read = store.read()
    by_hand(path, lambda document: document["flags"].update(c=ON))
    with pytest.raises(LedgerConflictError) as refused:
        store.write(read, {"flags/a": OFF}, NOTE)
    assert refused.value.problem.found == "the file was edited once more since then"
    assert store.read().parts.keys() == {"flags/a", "flags/b", "flags/c"}


def test_other_spaces_are_no_change(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    by_hand(path, lambda _document: None)
    assert store.read().version == 1


def test_an_older_file_brought_back_is_a_new_version(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    kept = path.read_bytes()
    store.write(store.read(), {"flags/a": OFF}, NOTE)
    store.write(store.read(), {"flags/b": ON}, NOTE)
    path.write_bytes(kept)
    found = store.read()
    assert (found.version, dict(found.parts)) == (4, {"flags/a": ON})
    store.write(found, {"flags/c": ON}, NOTE)
    assert [change.version for change in store.history()] == [5, 4, 3, 2, 1]


def test_a_file_that_was_removed_can_be_brought_back_by_the_trail(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    path.unlink()
    found = store.read()
    assert (found.version, dict(found.parts)) == (2, {})
    store.write(found, store.history()[0].before, NOTE)
    assert dict(store.read().parts) == {"flags/a": ON}


def test_a_set_of_another_lineage_moves_the_old_trail_away(store: FileStore, path: Path, tmp_path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    other = FileStore(tmp_path / "other.json")
    other.write(Snapshot(), {"flags/b": ON}, NOTE)
    (tmp_path / "other.json").replace(path)
    assert store.history() == ()
    store.write(store.read(), {"flags/c": ON}, NOTE)
    assert [change.version for change in store.history()] == [2]
    assert "flags/a" in (tmp_path / "flags.json.history.former.jsonl").read_text()


def test_the_mode_is_kept_and_passed_on_to_the_trail(store: FileStore, path: Path) -> None:
    path.write_text('{"flags": {}}')
    path.chmod(0o640)
    store.write(store.read(), {"flags/a": ON}, NOTE)
    for file in (path, file_trail.trail_path(path)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "set.json"
    path.symlink_to(real)
    FileStore(path).write(Snapshot(), {"flags/a": ON}, NOTE)
    assert path.is_symlink()
    assert FileStore(real).read().version == 1


def test_the_trail_is_bounded_and_still_adds_up(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON, "flags/b": ON}, NOTE)
    trail = file_trail.read_trail(path)
    assert trail is not None
    change = trail.changes[0]
    many = tuple(
        file_trail.Change(number, change.at, NOTE, {f"flags/f{number % 7}": number}, {}) for number in range(2, 1500)
    )
    whole = file_trail.Trail(trail.base, (change, *many))
    file_trail.write_trail(path, whole)
    cut = file_trail.read_trail(path)
    assert cut is not None
    assert len(cut.changes) == file_trail.MOST_CHANGES
    assert cut.end == whole.end
    assert cut.base.version == 499


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"flags": []}',
        b'{"flags": {}, "flagz": {}}',
        b"\xff",
        b"[" * 100_000,
        b'{"flags": {"a": NaN}}',
    ],
)
def test_a_broken_file_is_named_and_left_alone(store: FileStore, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for call in (store.read, lambda: store.write(Snapshot(), {"flags/a": ON}, NOTE), store.history):
        with pytest.raises(LedgerUnreadableError) as refused:
            call()
        assert str(path) in refused.value.problem.failed
    assert path.read_bytes() == content


def test_a_broken_trail_is_named(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    trail = file_trail.trail_path(path)
    for broken in ("", "{", '{"lineage": "x", "newest": 1}\n', trail.read_text() + "{}\n"):
        trail.write_text(broken)
        with pytest.raises(LedgerUnreadableError):
            store.history()


def test_a_set_that_is_too_big_is_refused(store: FileStore) -> None:
    with pytest.raises(InputError):
        store.write(Snapshot(), {"metadata/a": "x" * MAX_SET_BYTES}, NOTE)
    assert store.read() == Snapshot()


def test_where_nothing_can_be_written_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as refused:
        FileStore(tmp_path / "nowhere" / "flags.json").write(Snapshot(), {"flags/a": ON}, NOTE)
    assert refused.value.problem.found == os.strerror(2)
    (tmp_path / "folder").mkdir()
    with pytest.raises(LedgerUnreadableError):
        FileStore(tmp_path / "folder").read()


def test_a_lock_that_is_held_all_the_time_is_named(store: FileStore, path: Path) -> None:
    with path.with_name("flags.json.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TargetError, match="changed by somebody else"):
            store.write(Snapshot(), {"flags/a": ON}, NOTE)


def test_processes_that_write_at_once_lose_nothing(store: FileStore, path: Path) -> None:
    script = """
import sys
from switchover.errors import LedgerConflictError
from switchover.flags.file_store import FileStore
from switchover.flags.snapshot import Note
store, name = FileStore(sys.argv[1]), sys.argv[2]
for number in range(8):
    while True:
        try:
            store.write(store.read(), {f"flags/{name}-{number}": {}}, Note(name, "", "set"))
            break
        except LedgerConflictError:
            pass
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert store.read().version == 24
    assert len(store.read().parts) == 24
    assert [change.version for change in store.history()] == list(range(24, 0, -1))


def test_a_writer_killed_at_any_moment_leaves_a_set_and_a_trail_that_belong_together(
    store: FileStore, path: Path
) -> None:
    script = """
import sys
from switchover.flags.file_store import FileStore
from switchover.flags.snapshot import Note
store, number = FileStore(sys.argv[1]), 0
while True:
    number += 1
    store.write(store.read(), {"flags/a": {"number": number}}, Note("x", "", "set"))
    print(number, flush=True)
"""
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(5):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        versions = [change.version for change in store.history()]
        assert versions == list(range(store.read().version, 0, -1))
        assert all(change.note.action == "set" for change in store.history())


def test_a_change_whose_entry_was_not_written_gets_it_later(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    trail, lock = file_trail.trail_path(path), path.with_name("flags.json.lock")
    old = trail.read_bytes()
    change = store.write(store.read(), {"flags/b": ON}, Note("bob", "why", "kill"))
    # As it is when the process dies right after it has replaced the file.
    trail.write_bytes(old)
    lock.write_text(json.dumps([file_trail.change_json(change)]))
    assert store.read().version == 2
    assert [entry.note.who for entry in store.history()] == ["bob", "ada"]
    # And right before.
    lock.write_text(json.dumps([{**file_trail.change_json(change), "version": 3}]))
    assert store.write(store.read(), {"flags/c": ON}, NOTE).version == 3
    assert [entry.note.who for entry in store.history()] == ["ada", "bob", "ada"]


def test_a_client_sees_each_change_of_the_file(store: FileStore, path: Path) -> None:
    store.write(Snapshot(), {"flags/a": ON}, NOTE)
    with watching(path) as client:
        assert client.is_enabled("a") is True
        store.write(store.read(), {"flags/a": OFF}, NOTE)
        wait_for(lambda: client.is_enabled("a") is False)
        assert client.status.version == 2
        by_hand(path, lambda document: document["flags"]["a"].update(defaultVariant="on"))
        wait_for(lambda: client.is_enabled("a"))
        assert client.status.version == 3


def test_a_change_in_place_of_the_same_size_and_time_is_seen(path: Path) -> None:
    path.write_text(json.dumps({"flags": {"a": flag({"on": 10, "off": 20}, "on")}}))
    with watching(path) as client:
        for value in range(11, 99):
            before = path.stat()
            path.write_text(json.dumps({"flags": {"a": flag({"on": value, "off": 20}, "on")}}))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        wait_for(lambda: client.get_value("a", 0) == 98)


@pytest.mark.parametrize("content", [b"", b'{"flags": {"a', b'{"flags": []}', b" " * (MAX_SET_BYTES + 1), None])
def test_a_broken_file_keeps_the_last_good_set_and_heals(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    good = json.dumps({"flags": {"a": ON}})
    path.write_text(good)
    with watching(path) as client:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        wait_for(lambda: client.status.state is State.STALE)
        assert client.is_enabled("a") is True
        assert client.status.why
        path.write_text(good)
        wait_for(lambda: client.status.state is State.READY)
    told = [record.getMessage() for record in caplog.records if record.name == "switchover.flags.file_feed"]
    assert told
    assert all(each.startswith(f"flags are answered from what was known last: {path}: the file ") for each in told)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_start_without_flags_is_said_once_for_each_reason(
    path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if content is not None:
        path.write_text(content)
    with watching(path) as client:
        assert client.status.state is State.ERROR
        first = client.status.why
        beside = path.with_name("beside")
        beside.write_text("[]")
        beside.replace(path)
        wait_for(lambda: client.status.why != first)
        reasons = (first, client.status.why)
    told = [record.getMessage() for record in caplog.records if record.name == "switchover.flags.file_feed"]
    assert told == [f"no flags yet: every caller gets its own default: {path}: {why}" for why in reasons]


def test_one_broken_flag_answers_an_error_and_the_others_work(path: Path) -> None:
    path.write_text(json.dumps({"flags": {"a": ON, "b": 7, "c": {"state": "ODD"}}}))
    with watching(path) as client:
        assert client.status.state is State.READY
        assert client.is_enabled("a") is True
        assert client.is_enabled("b", default=True) is True
        assert client.is_enabled_detail("c").error_code is not None


@pytest.mark.parametrize(
    "value", ['{"x": ' * 101 + "1" + "}" * 101, '{"x": ' * 700 + "1" + "}" * 700, '"\\ud800"', "1e999"]
)
def test_one_flag_that_no_store_would_keep_does_not_take_the_others_along(path: Path, value: str) -> None:
    text = json.dumps({"flags": {"a": ON, "b": flag({"x": "HERE"}, "x")}}).replace('"HERE"', value)
    path.write_text(text)
    with watching(path) as client:
        assert client.is_enabled("a") is True
        assert client.status.state is State.READY
        assert client.get_value_detail("b", None).error_code is ErrorCode.PARSE_ERROR
        assert client.evaluate_all() == {"a": True}


@pytest.mark.parametrize("value", ['{"x": ' * 101 + "1" + "}" * 101, '"\\ud800"'])
def test_another_flag_can_be_changed_beside_such_a_one(path: Path, store: FileStore, value: str) -> None:
    text = json.dumps({"flags": {"a": ON, "b": flag({"x": "HERE"}, "x")}}).replace('"HERE"', value)
    path.write_text(text)
    before = store.read()
    store.write(before, {"flags/a": OFF}, NOTE)
    assert store.read().flag("a") == OFF
    assert store.read().flag("b") == before.flag("b")
    assert store.read().version == before.version + 1
    assert [change.version for change in store.history()] == [before.version + 1]


def test_a_number_that_cannot_be_written_again_is_refused(path: Path, store: FileStore) -> None:
    path.write_text('{"flags": {"b": 1e999}}')
    content = path.read_bytes()
    with pytest.raises(InputError, match="mend it in the file"):
        store.write(store.read(), {"flags/a": OFF}, NOTE)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        '{"flags": {"a": NaN}}',
        '{"flags": {"\\ud800": {}}}',
        '{"flags": ' + '{"xxxxxxxx": ' * 300 + '{"a": 1, "a": 2}' + "}" * 301,
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_short(path: Path, content: str) -> None:
    path.write_text(content)
    with watching(path) as client:
        assert client.status.state is State.ERROR
        assert 0 < len(client.status.why) < 500


def test_a_feed_that_begins_again_tells_all_that_it_knows(path: Path) -> None:
    heard, feed = Heard(), FileFeed(path, interval_seconds=0.02)
    for _ in range(2):
        feed.start(heard)
        feed.stop()
    path.write_text(json.dumps({"flags": {"a": ON}}))
    for _ in range(2):
        feed.start(heard)
        feed.stop()
    assert heard.told == ["lose", "lose", "replace 1", "replace 1"]


def test_a_file_that_nobody_can_watch_is_not_ready(path: Path) -> None:
    path.write_text(json.dumps({"flags": {"a": ON}}))
    script = """
import sys, threading
from switchover.flags.client import Client
from switchover.flags.file_feed import FileFeed

threading.stack_size(2**46)  # More than any machine has.
client = Client(FileFeed(sys.argv[1]))
print(client.is_enabled("a"), client.status.state, client.status.why)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("True STALE no thread can be started"), done.stderr


def test_a_start_without_a_file_heals_when_it_comes(path: Path) -> None:
    with watching(path) as client:
        assert client.status.state is State.ERROR
        assert os.strerror(2) in client.status.why
        path.write_text(json.dumps({"flags": {"a": ON}}))
        assert client.wait_ready(30)
        assert client.is_enabled("a") is True


def test_a_config_map_that_is_swapped_is_followed(tmp_path: Path) -> None:
    def mount(name: str, value: Json) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags.json").write_text(json.dumps({"flags": {"a": value}}))
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    mount("..1", ON)
    path = tmp_path / "flags.json"
    path.symlink_to("..data/flags.json")
    with watching(path) as client:
        assert client.is_enabled("a") is True
        mount("..2", OFF)
        (tmp_path / "..1" / "flags.json").unlink()
        wait_for(lambda: client.is_enabled("a") is False)
        assert client.status.state is not State.ERROR


def test_an_unchanged_file_is_vouched_for(path: Path) -> None:
    path.write_text(json.dumps({"flags": {"a": ON}}))
    with watching(path) as client:
        wait_for(lambda: client.status.age_seconds > 0)
        first = client._vouched_at
        wait_for(lambda: client._vouched_at > first + 0.1)
