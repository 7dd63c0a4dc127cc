"""What a server, a network and a hand in the data do to those who follow a set: nothing that an application sees."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from switchover.errors import LedgerConflictError
from switchover.flags.client import Client
from switchover.flags.redis_feed import RedisFeed
from switchover.flags.redis_form import MOST_BYTES, keys_of, write_json
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Note
from switchover.flags.status import State
from tests.flags.redis_cases import NOTE, Heard, change, flag, following
from tests.real_parts.redis_relay import redis_relay
from tests.real_parts.redis_server import NEW, OLD, RedisServer, redis_folder, redis_server, wait_for

KEYS = keys_of("shop")


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server(OLD) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.admin() as admin:
        admin.flushall()
        admin.config_set("maxmemory", 0)
    return running


@pytest.fixture
def store(server: RedisServer) -> RedisStore:
    return RedisStore(server.place())


def test_a_killed_server_is_missed_and_found_again_with_its_data() -> None:
    with redis_server(NEW, "appendonly yes", "appendfsync always") as server:
        store = RedisStore(server.place())
        change(store)
        with following(server.place()) as heard:
            heard.wait_version(1)
            server.kill()
            wait_for(lambda: heard.lost)
            assert heard.version == 1
            server.start()
            heard.wait_confirmed()
            change(store)
            heard.wait_version(2)
    assert heard.told == ["replace 1", "lose", "apply 2"]


def test_a_hung_server_is_missed_and_found_again(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with following(server.place()) as heard:
        heard.wait_version(1)
        server.hang()
        try:
            wait_for(lambda: heard.lost)
            assert "no answer in time" in heard.lost
        finally:
            server.go_on()
        heard.wait_confirmed()
        change(store)
        heard.wait_version(2)


def test_a_server_that_comes_back_empty_is_not_believed(tmp_path: Path) -> None:
    with redis_server(OLD) as server:
        store = RedisStore(server.place())
        change(store, {"flags/a": flag()})
        held = store.read()
        with following(server.place(), file=tmp_path / "kept") as heard:
            heard.wait_version(1)
            server.restart()
            wait_for(lambda: "holds no set" in heard.lost)
            assert heard.snapshot == held
            # Somebody begins anew: another lineage with the same number.
            change(store, {"flags/b": flag()})
            heard.wait_confirmed()
            assert heard.snapshot == store.read()
            assert heard.version == 1
            kept = tmp_path / "kept"
            wait_for(lambda: kept.exists() and '"flags/b"' in kept.read_text())


def test_a_set_that_is_emptied_on_purpose_is_believed(server: RedisServer, store: RedisStore) -> None:
    change(store, {"flags/a": flag()})
    with following(server.place()) as heard:
        heard.wait_version(1)
        change(store, {"flags/a": None})
        heard.wait_version(2)
        assert heard.snapshot is not None
        assert heard.snapshot.parts == {}


def test_an_older_set_of_the_same_lineage_is_taken(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin:
        old = {key: admin.dump(key) for key in (KEYS.set, KEYS.changes)}
        with following(server.place()) as heard:
            change(store)
            heard.wait_version(2)
            for key, copy in old.items():
                admin.restore(key, 0, copy, replace=True)
            heard.wait_version(1)
            change(store)
            heard.wait_version(2)
            assert heard.snapshot == store.read()


def test_another_change_of_the_same_number_is_taken(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        old = {key: admin.dump(key) for key in (KEYS.set, KEYS.changes)}
        change(store, {"flags/lost": flag()})
        heard.wait_version(2)
        # The server is replaced by one that never had that change, and has got another one since.
        with admin.pipeline() as steps:
            for key, copy in old.items():
                steps.restore(key, 0, copy, replace=True)
            steps.hset(KEYS.set, mapping={"version": 2, "mark": "another", "flags/kept": write_json(flag())})
            steps.execute()
        wait_for(lambda: heard.snapshot is not None and heard.snapshot.flag("kept"))
        assert heard.snapshot == store.read()


def test_a_message_that_was_lost_is_noticed_by_the_version(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.hset(KEYS.set, mapping={"version": 2, "flags/a": write_json(flag())})
        heard.wait_version(2)
        assert heard.snapshot == store.read()
        assert change(store).version == 3
        heard.wait_version(3)
    assert heard.told == ["replace 1", "replace 2", "apply 3"]


def test_a_stream_that_is_trimmed_under_a_reader_costs_nothing_but_reading_it_all(
    server: RedisServer, store: RedisStore
) -> None:
    change(store)
    with (
        redis_folder() as folder,
        redis_relay(server.path, folder) as relay,
        following(f"unix://{relay.path}?set=shop") as heard,
    ):
        heard.wait_version(1)
        relay.loses = b"XREAD"
        wait_for(lambda: relay.lost)
        for _ in range(5):
            change(store)
        with server.admin() as admin:
            admin.xtrim(KEYS.changes, maxlen=2, approximate=False)
            assert admin.xlen(KEYS.changes) == 2
        relay.loses = b""
        heard.wait_version(6)
        assert heard.snapshot == store.read()
        change(store)
        heard.wait_version(7)


@pytest.mark.parametrize("gone", [KEYS.changes, KEYS.live])
def test_a_key_that_is_removed_under_a_reader_changes_nothing(
    server: RedisServer, store: RedisStore, gone: str
) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.delete(gone)
        heard.wait_confirmed()
        change(store)
        heard.wait_version(2)
        heard.wait_confirmed()
    assert not heard.losses


def test_a_broken_part_keeps_its_last_value_and_the_others_go_on(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    change(store, {"flags/a": flag(), "flags/b": flag()})
    with server.admin() as admin, following(server.place()) as heard, caplog.at_level(logging.WARNING):
        heard.wait_version(1)
        for version in (2, 3):
            broken = {"flags/a": "{half", "flags/new": "NaN", "flags/b": write_json(flag(f"v{version}"))}
            admin.hset(KEYS.set, mapping={"version": version, **broken})
            heard.wait_version(version)
            assert heard.snapshot is not None
            assert heard.snapshot.parts == {"flags/a": flag(), "flags/b": flag(f"v{version}"), "flags/new": "NaN"}
    assert sum("flags/a is no JSON" in line for line in caplog.messages) == 1
    assert not heard.losses


@pytest.mark.parametrize(
    "damage",
    [
        {"edits": "{half"},
        {"edits": '["flags/a"]'},
        {"edits": '{"other/a": 1}'},
        {"edits": "[" * 50_000},
        {"lineage": "another"},
        {"previous": "another"},
        {"at": "soon"},
        {"who": None},
    ],
)
def test_a_broken_entry_is_answered_by_reading_it_all(
    server: RedisServer, store: RedisStore, damage: dict[str, str | None]
) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        head = [value.decode() for value in admin.hmget(KEYS.set, "lineage", "mark") if value]
        entry: dict[str, str | None] = {
            "lineage": head[0],
            "mark": "new",
            "previous": head[1],
            "at": "1",
            "who": "",
            "why": "",
            "action": "",
            "edits": "{}",
            "before": "",
        }
        kept = {name: value for name, value in (entry | damage).items() if value is not None}
        with admin.pipeline() as steps:
            steps.hset(KEYS.set, mapping={"version": 2, "mark": "new", "flags/a": write_json(flag())})
            steps.xadd(KEYS.changes, kept, id="2-0")
            steps.execute()
        heard.wait_version(2)
        assert heard.snapshot == store.read()
        change(store)
        heard.wait_version(3)
    assert not heard.losses


@pytest.mark.parametrize("identity", ["1-7", "999999999999999999-1"])
def test_a_foreign_entry_is_passed_over_and_later_changes_are_seen(
    server: RedisServer, store: RedisStore, identity: str
) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.config_resetstat()
        admin.xadd(KEYS.changes, {"foreign": "\xff"}, id=identity)
        wait_for(lambda: _count(admin, "hgetall"))
        heard.wait_confirmed()
        heard.wait_confirmed()
        # It is not found anew at every step.
        assert _count(admin, "hgetall") <= 3
        change(store)
        heard.wait_version(2)
        change(store)
        heard.wait_version(3)
        assert heard.snapshot == store.read()
    assert not heard.losses


@pytest.mark.parametrize("version", ["soon", "99999999999999999999", ""])
def test_a_set_without_a_number_is_not_believed_until_it_has_one(
    server: RedisServer, store: RedisStore, version: str
) -> None:
    change(store)
    held = store.read()
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.hset(KEYS.set, "version", version)
        wait_for(lambda: heard.lost)
        assert heard.snapshot == held
        admin.hset(KEYS.set, "version", "1")
        heard.wait_confirmed()


def test_a_foreign_key_in_the_place_of_the_set_is_not_believed(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        copy = admin.dump(KEYS.set)
        admin.set(KEYS.set, "a text")
        wait_for(lambda: "WRONGTYPE" in heard.lost)
        admin.restore(KEYS.set, 0, copy, replace=True)
        heard.wait_confirmed()
        assert heard.version == 1


def test_a_set_that_is_too_big_is_refused_and_read_once(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.hset(KEYS.set, mapping={"version": 2, "flags/big": "x" * MOST_BYTES})
        wait_for(lambda: "more than" in heard.lost)
        admin.config_resetstat()
        time.sleep(1.5)
        assert _count(admin, "hgetall") == 0
        assert heard.version == 1
        admin.hset(KEYS.set, "version", "3")
        admin.hdel(KEYS.set, "flags/big")
        heard.wait_version(3)
        heard.wait_confirmed()


def test_a_full_server_is_read_all_the_same(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        heard.wait_version(1)
        admin.config_set("maxmemory", 1)
        heard.wait_confirmed()
        heard.wait_confirmed()
        admin.config_set("maxmemory", 0)
    assert not heard.losses
    assert sum("not seen among the live ones" in line for line in caplog.messages) == 1


def test_a_read_only_replica_is_followed(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with redis_server(OLD, "replicaof 127.0.0.1 1") as replica:
        with server.admin() as admin, replica.admin() as other:
            copy = admin.dump(KEYS.set)
            other.config_set("replica-read-only", "no")
            other.restore(KEYS.set, 0, copy)
            other.config_set("replica-read-only", "yes")
        with following(replica.place()) as heard:
            heard.wait_version(1)
            heard.wait_confirmed()
    assert not heard.losses


def test_connections_that_break_all_the_time_lose_no_change(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin, following(server.place()) as heard:
        for _ in range(30):
            change(store)
            admin.client_kill_filter(_type="normal", skipme=True)
            time.sleep(0.01)
        heard.wait_version(31)
        heard.wait_confirmed()
        assert heard.snapshot == store.read()


def test_a_connection_that_breaks_at_every_wait_is_not_made_anew_without_a_measure(
    server: RedisServer, store: RedisStore
) -> None:
    change(store)
    with redis_folder() as folder, redis_relay(server.path, folder) as relay:
        relay.loses = b"XREAD"
        with following(f"unix://{relay.path}?set=shop") as heard:
            heard.wait_version(1)
            for _ in range(3):
                change(store)
            heard.wait_version(4)
            before, seen = relay.lost, heard.confirmed
            wait_for(lambda: heard.confirmed >= seen + 5)
            assert relay.lost - before <= 7
    assert not heard.losses


def test_two_operators_at_once_lose_no_change(server: RedisServer, store: RedisStore) -> None:
    change(store)

    def write(who: str) -> None:
        own = RedisStore(server.place())
        for number in range(20):
            while not _try(own, f"flags/{who}{number}"):
                pass

    with following(server.place()) as heard:
        writers = [threading.Thread(target=write, args=(who,)) for who in ("a", "b")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        heard.wait_version(41)
        assert heard.snapshot == store.read()
        assert len(store.read().parts) == 41


def _count(admin: redis.Redis, command: str) -> int:
    """How often the server was asked that since its counters were set to 0."""
    counted: Any = admin.info("commandstats")
    return int(counted.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def _try(store: RedisStore, part: str) -> bool:
    try:
        return bool(store.write(store.read(), {part: flag()}, Note("w", "", "set")))
    except LedgerConflictError:
        return False


def test_a_start_without_redis_and_without_a_file_says_that_there_are_no_flags(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with following("redis://u:p@127.0.0.1:1/0?set=shop") as heard:
        wait_for(lambda: heard.lost)
    told = [record.getMessage() for record in caplog.records if record.name == "switchover.flags.redis_follower"]
    place = "redis://127.0.0.1:1?set=shop"
    assert told == [f"no flags yet: every caller gets its own default: {place}: connection refused"]


def test_a_cold_start_without_redis_serves_the_values_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "kept.jsonl"
    with redis_server(OLD) as server:
        store = RedisStore(server.place())
        change(store, {"flags/a": flag(), "metadata/ä": "ö"})
        with following(server.place(), file=file) as heard:
            heard.wait_version(1)
            change(store)
            heard.wait_version(2)
        held = heard.snapshot
        place = server.place()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    os.utime(file, (time.time() - 3600, time.time() - 3600))
    cold = Heard()
    feed = RedisFeed(place, last_known_good=file)
    feed.start(cold)
    # It is there when `start` returns.
    assert cold.snapshot == held
    assert cold.remembered == [pytest.approx(3600, abs=120)]
    wait_for(lambda: cold.lost)
    feed.stop()
    assert cold.told == ["replace 2", "lose"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"{}",
        b"[]\n[]",
        b'{"format":2,"set":"shop","version":1,"lineage":"x","mark":"","parts":0}\n',
        b'{"format":1,"set":"other","version":1,"lineage":"x","mark":"","parts":0}\n',
        b'{"format":1,"set":"shop","version":1,"lineage":"x","mark":"","parts":2}\n["flags/a",1]\n',
        b'{"format":1,"set":"shop","version":1,"lineage":"x","mark":"","parts":1}\n["flags/a",1\n',
        b'{"format":1,"set":"shop","version":1,"lineage":"x","mark":"","parts":1}\n["a",1]\n',
        b'{"format":1,"set":"shop","version":"1","lineage":"x","mark":"","parts":0}\n',
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_left_aside(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "kept").write_bytes(content)
    heard = Heard()
    feed = RedisFeed(f"unix://{tmp_path}/nobody?set=shop", last_known_good=tmp_path / "kept")
    feed.start(heard)
    assert heard.snapshot is None
    feed.stop()
    assert "is not used" in caplog.text


def test_a_file_that_cannot_be_written_keeps_nothing_from_going_on(
    server: RedisServer, store: RedisStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").write_text("in the way")
    change(store)
    with following(server.place(), file=tmp_path / "folder" / "kept") as heard:
        heard.wait_version(1)
        change(store)
        heard.wait_version(2)
    assert "cannot be written" in caplog.text


def test_nothing_of_a_half_written_file_stays(server: RedisServer, store: RedisStore, tmp_path: Path) -> None:
    change(store)
    (tmp_path / "kept").mkdir()
    with following(server.place(), file=tmp_path / "kept") as heard:
        heard.wait_version(1)
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_the_reasons_of_entries_name_who_and_why(store: RedisStore) -> None:
    change(store, note=NOTE)
    assert store.history()[0].note == NOTE


def test_a_client_says_that_the_values_of_the_file_are_not_vouched_for(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    with redis_server(OLD) as server:
        change(RedisStore(server.place()), {"flags/a": flag()})
        with Client(RedisFeed(server.place(), last_known_good=file)) as client:
            wait_for(lambda: client.status.state is State.READY)
        place = server.place()
    os.utime(file, (time.time() - 3600, time.time() - 3600))
    with Client(RedisFeed(place, last_known_good=file)) as client:
        assert client.is_enabled("a") is True
        status = client.status
        assert (status.state, status.version) == (State.STALE, 1)
        assert status.age_seconds >= 3600


def test_a_forked_child_of_a_fresh_parent_is_not_fresh_until_it_has_heard_of_redis(
    server: RedisServer, store: RedisStore
) -> None:
    change(store, {"flags/a": flag()})
    done = subprocess.run(
        [sys.executable, "-c", _FORKS_WHILE_CUT_OFF, server.place()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "STALE True\n"), done.stderr


_FORKS_WHILE_CUT_OFF = """
import os, sys, time
from switchover.flags.client import Client
from switchover.flags.redis_feed import RedisFeed
from switchover.flags.redis_place import read_redis_place

feed = RedisFeed(sys.argv[1], last_known_good=None)
client = Client(feed)
while client.status.state != "READY":
    time.sleep(0.01)
feed._place = read_redis_place("unix:///nowhere?set=shop")
before = client.status.age_seconds
if os.fork() == 0:
    status = client.status
    print(status.state.value, status.age_seconds >= before, flush=True)
    os._exit(0)
assert os.wait()[1] == 0
client.close()
"""
