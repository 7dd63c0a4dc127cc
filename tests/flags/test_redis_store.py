"""The operator's side of a set in Redis, on real servers of three ages."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, SwitchoverError, TargetError
from switchover.flags.redis_connection import Patience
from switchover.flags.redis_form import MOST_BYTES, keys_of
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Acknowledgements, Change, Json, Note, Snapshot
from tests.flags.redis_cases import NOTE, change, flag
from tests.real_parts.redis_relay import redis_relay
from tests.real_parts.redis_server import OLD, VERSIONS, RedisServer, redis_folder, redis_server

KEYS = keys_of("shop")


@pytest.fixture(scope="module", params=VERSIONS)
def running(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with redis_server(request.param) as server:
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


def test_a_place_where_nothing_was_stored_has_version_0(store: RedisStore) -> None:
    assert store.read() == Snapshot()
    assert store.history() == []
    assert store.acknowledgements() == Acknowledgements()


def test_what_is_written_is_read_and_stands_in_the_trail(store: RedisStore) -> None:
    parts: dict[str, Json] = {"flags/größe": flag(), "$evaluators/staff": {"in": ["@x", {"var": "email"}]}}
    made = store.write(Snapshot(), parts, Note("ada", "first", "import"))
    assert made.version == 1
    assert made.before == {"flags/größe": None, "$evaluators/staff": None}
    assert abs(made.at - datetime.now(UTC)) < timedelta(minutes=10)
    now = store.read()
    assert (now.version, now.parts) == (1, parts)
    assert now.lineage
    removed = store.write(now, {"flags/größe": None, "metadata/team": "web"}, NOTE)
    assert removed.before == {"flags/größe": flag(), "metadata/team": None}
    assert store.read() == Snapshot(
        2, now.lineage, {"$evaluators/staff": parts["$evaluators/staff"], "metadata/team": "web"}
    )
    assert store.history() == [removed, made]
    assert store.history(1) == [removed]
    assert store.history(0) == []


def test_another_process_writes_what_the_first_has_read(server: RedisServer, store: RedisStore) -> None:
    change(store)
    other = RedisStore(server.place())
    change(other)
    change(store)
    assert [entry.version for entry in other.history()] == [3, 2, 1]


def test_a_lost_update_is_refused(server: RedisServer, store: RedisStore) -> None:
    change(store)
    old = store.read()
    change(RedisStore(server.place()))
    with pytest.raises(LedgerConflictError, match="version 2"):
        store.write(old, {"flags/a": flag()}, NOTE)
    with pytest.raises(LedgerConflictError):
        store.write(Snapshot(), {"flags/a": flag()}, NOTE)
    with pytest.raises(LedgerConflictError):
        store.write(Snapshot(2, "another"), {"flags/a": flag()}, NOTE)
    assert [entry.version for entry in store.history()] == [2, 1]


def test_a_set_that_is_gone_is_not_written_as_if_it_were_there(server: RedisServer, store: RedisStore) -> None:
    change(store)
    held = store.read()
    with server.admin() as admin:
        admin.delete(KEYS.set)
    with pytest.raises(LedgerConflictError, match="no set"):
        store.write(held, {"flags/a": flag()}, NOTE)
    assert store.read() == Snapshot()


def test_whoever_begins_anew_gets_another_lineage_and_a_trail_of_its_own(
    server: RedisServer, store: RedisStore
) -> None:
    change(store)
    change(store)
    first = store.read().lineage
    with server.admin() as admin:
        admin.delete(KEYS.set)
        change(store)
        assert store.read().lineage != first
        assert [entry.version for entry in store.history()] == [1]
        assert admin.xlen(KEYS.former) == 2


def test_two_changes_of_one_number_on_two_sides_of_a_failover_are_told_apart(
    server: RedisServer, store: RedisStore
) -> None:
    change(store)
    other = RedisStore(server.place())
    with server.admin() as admin:
        copies = {key: admin.dump(key) for key in (KEYS.set, KEYS.changes)}
        change(store, {"flags/lost": flag()})
        held = store.read()
        for key, copy in copies.items():
            admin.restore(key, 0, copy, replace=True)
    change(other, {"flags/kept": flag()})
    assert other.read().version == held.version
    with pytest.raises(LedgerConflictError, match="by another change"):
        store.write(held, {"flags/a": flag()}, NOTE)


def test_entries_ahead_of_the_set_do_not_keep_it_from_being_changed(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    change(store)
    with server.admin() as admin:
        admin.xadd(KEYS.changes, {"foreign": "entry"}, id="99-0")
        assert change(store).version == 2
        assert admin.xlen(KEYS.former) == 2
    assert f"the changes before version 2 stood in the way and are in {KEYS.former} now" in caplog.text
    assert [entry.version for entry in store.history()] == [2]


def test_writers_at_once_make_each_version_once(server: RedisServer) -> None:
    made: list[Change] = []
    gate = threading.Barrier(4)

    def write(who: str) -> None:
        store = RedisStore(server.place())
        gate.wait()
        done = 0
        while done < 10:
            try:
                made.append(store.write(store.read(), {f"flags/{who}-{done}": flag()}, Note(who, "", "set")))
            except LedgerConflictError:
                continue
            done += 1

    writers = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    now = RedisStore(server.place()).read()
    assert now.version == len(now.parts) == 40
    assert sorted(one.version for one in made) == list(range(1, 41))


def test_a_write_whose_answer_is_lost_is_looked_up(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with redis_folder() as folder, redis_relay(server.path, folder) as relay:
        relayed = RedisStore(f"unix://{relay.path}?set=shop")
        held = relayed.read()
        relay.loses = b"EVAL"
        made = relayed.write(held, {"flags/a": flag()}, NOTE)
        assert relay.lost == 1
        relay.loses = b""
        assert [made] == store.history(1)
        assert made.version == 2
        assert change(relayed).version == 3


def test_a_write_to_a_hung_server_is_made_once_when_it_is_repeated(server: RedisServer, store: RedisStore) -> None:
    change(store)
    held = store.read()
    hasty = RedisStore(server.place(), patience=Patience(read_seconds=0.2))
    server.hang()
    try:
        with pytest.raises(TargetError, match="it is not known whether the change was stored"):
            hasty.write(held, {"flags/a": flag()}, NOTE)
    finally:
        server.go_on()
    # The server does it when it goes on, or had not got it: then this makes it.
    with contextlib.suppress(LedgerConflictError):
        store.write(held, {"flags/a": flag()}, NOTE)
    now = store.read()
    assert (now.version, now.flag("a")) == (2, flag())


@pytest.mark.parametrize(
    ("part", "value"),
    [("flags/", {}), ("flags", {}), ("other/a", {}), ("version", 7), ("flags/a", float("nan")), ("flags/\ud800", {})],
)
def test_what_is_no_part_of_a_set_is_refused(store: RedisStore, part: str, value: Json) -> None:
    with pytest.raises(InputError):
        store.write(Snapshot(), {part: value}, NOTE)
    assert store.read() == Snapshot()


def test_a_set_of_ten_megabytes_is_kept_and_a_bigger_one_is_refused(server: RedisServer, store: RedisStore) -> None:
    many: dict[str, Json] = {f"flags/f{number}": {"x": "y" * 900} for number in range(10_500)}
    assert change(store, many).version == 1
    assert store.read().parts == many
    with pytest.raises(InputError, match="too big"):
        change(store, {"flags/big": "z" * (MOST_BYTES - 5_000_000)})
    assert change(store, dict.fromkeys(list(many)[:5], None)).version == 2
    assert len(store.read().parts) == 10_495
    with server.admin() as admin:
        stored = sum(len(text) for name, text in admin.hgetall(KEYS.set).items() if b"/" in name)
        assert int(admin.hget(KEYS.set, "size") or 0) == stored


def test_the_trail_is_bounded(server: RedisServer) -> None:
    store = RedisStore(server.place(history=100))
    for _ in range(350):
        change(store, {"flags/a": flag()})
    assert 100 <= len(store.history()) < 350
    assert store.history(1)[0].version == 350


@pytest.mark.parametrize("text", ["{broken", "NaN", "[" * 100_000])
def test_a_broken_part_is_handed_on_as_its_text_and_keeps_nobody_from_the_others(
    store: RedisStore, server: RedisServer, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(store)
    change(store)
    with server.admin() as admin:
        admin.hset(KEYS.set, "flags/f0", text)
    assert store.read().parts == {"flags/f0": text, "flags/f1": flag()}
    assert "flags/f0 is no JSON" in caplog.text
    change(store, {"flags/f1": flag("off")})
    assert change(store, {"flags/f0": None}).before == {"flags/f0": text}
    assert store.read().parts == {"flags/f1": flag("off")}


def test_a_set_without_a_number_is_named(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin:
        admin.hset(KEYS.set, "version", "soon")
    with pytest.raises(LedgerUnreadableError, match="version"):
        store.read()
    with pytest.raises(LedgerUnreadableError, match="version"):
        store.acknowledgements()


def test_a_broken_part_can_be_overwritten_and_its_text_stays_in_the_trail(
    server: RedisServer, store: RedisStore
) -> None:
    change(store)
    held = store.read()
    with server.admin() as admin:
        admin.hset(KEYS.set, "flags/f0", '{"half":\n1')
    assert store.write(held, {"flags/f0": flag()}, NOTE).before == {"flags/f0": '{"half": 1'}
    assert store.read().flag("f0") == flag()
    assert store.history(1)[0].before == {"flags/f0": '{"half": 1'}


def test_foreign_entries_are_left_out_of_the_trail_and_counted(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        change(store)
    with server.admin() as admin:
        admin.xadd(KEYS.changes, {"edits": "{"}, id="7-0")
        admin.xadd(KEYS.changes, {"foreign": "entry"})
    assert [entry.version for entry in store.history()] == [3, 2, 1]
    assert "2 entries of" in caplog.text
    assert [entry.version for entry in store.history(2)] == [3, 2]
    assert [entry.version for entry in store.history(3)] == [3, 2, 1]


def test_a_foreign_key_is_named(server: RedisServer, store: RedisStore) -> None:
    with server.admin() as admin:
        admin.set(KEYS.set, "a text")
    with pytest.raises(TargetError, match="choose another `set`"):
        store.read()


def test_a_server_that_is_full_changes_nothing(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin:
        admin.config_set("maxmemory", 1)
        with pytest.raises(TargetError, match="free memory"):
            change(store)
        admin.config_set("maxmemory", 0)
    assert store.read().version == 1
    assert len(store.history()) == 1


def test_a_replica_names_what_to_do(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin:
        admin.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(TargetError, match="name the primary"):
                change(store)
        finally:
            admin.replicaof("NO", "ONE")


def test_a_server_that_is_not_there_is_named_without_secrets() -> None:
    store = RedisStore("redis://ada:hunter2@127.0.0.1:1/0?set=shop")
    for effect in (store.read, store.history, store.acknowledgements, lambda: store.write(Snapshot(), {}, NOTE)):
        with pytest.raises(SwitchoverError) as caught:
            effect()
        assert isinstance(caught.value, TargetError)
        assert "redis://127.0.0.1:1?set=shop" in str(caught.value)
        assert "hunter2" not in str(caught.value) + repr(store)
        assert "ada" not in str(caught.value) + repr(store)


def test_a_wrong_password_is_not_repeated_to_anybody() -> None:
    right = "right-one"
    with redis_server(OLD, f"requirepass {right}", password=right) as server:
        with pytest.raises(TargetError, match="correct the user and password") as caught:
            RedisStore(server.place().replace("unix://", "unix://ada:wrong-one@")).read()
        assert "wrong-one" not in str(caught.value)
        assert RedisStore(server.place().replace("unix://", f"unix://:{right}@")).read() == Snapshot()
