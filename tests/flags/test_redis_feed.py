"""The application's side of a set in Redis, while all is well."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.flags.client import Client
from switchover.flags.compiler import compile_set
from switchover.flags.flag_set import FlagSet
from switchover.flags.redis_feed import RedisFeed
from switchover.flags.redis_form import keys_of
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Acknowledgements, Edits, Snapshot
from switchover.flags.status import State
from tests.flags.redis_cases import NOTE, Heard, change, flag, following
from tests.real_parts.redis_server import OLD, VERSIONS, RedisServer, redis_server, wait_for

KEYS = keys_of("shop")


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server(OLD) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.admin() as admin:
        admin.flushall()
    return running


@pytest.fixture
def store(server: RedisServer) -> RedisStore:
    return RedisStore(server.place())


def test_a_place_without_a_set_is_an_empty_set(server: RedisServer, store: RedisStore) -> None:
    with following(server.place()) as heard:
        heard.wait_version(0)
        heard.wait_confirmed()
        change(store)
        heard.wait_version(1)
        assert heard.snapshot == store.read()
    assert not heard.losses


@pytest.mark.parametrize("version", VERSIONS)
def test_the_set_and_every_change_of_it_come_in_order(version: str) -> None:
    with redis_server(version) as server:
        store = RedisStore(server.place())
        change(store)
        with following(server.place(), instance="a") as heard:
            heard.wait_version(1)
            change(store, {"flags/a": flag(), "$evaluators/e": True})
            change(store, {"flags/a": None, "metadata/m": "x"})
            heard.wait_version(3)
            assert heard.applied == [
                (2, {"flags/a": flag(), "$evaluators/e": True}),
                (3, {"flags/a": None, "metadata/m": "x"}),
            ]
            assert heard.snapshot == store.read()
            heard.wait_confirmed()
            wait_for(lambda: _all_at(store, 3, 1))
    assert heard.told == ["replace 1", "apply 2", "apply 3"]


def test_a_burst_of_changes_is_followed_one_by_one(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with following(server.place()) as heard:
        heard.wait_version(1)
        for _ in range(200):
            change(store, {"flags/a": flag()})
        heard.wait_version(201)
    assert [version for version, _ in heard.applied] == list(range(2, 202))


def test_sets_of_one_server_do_not_meet(server: RedisServer, store: RedisStore) -> None:
    other = RedisStore(server.place("other"))
    with following(server.place()) as heard, following(server.place("other")) as heard_other:
        change(store, {"flags/ours": flag()})
        change(other, {"flags/theirs": flag()})
        heard.wait_version(1)
        heard_other.wait_version(1)
        assert heard.snapshot is not None
        assert heard_other.snapshot is not None
        assert set(heard.snapshot.parts) == {"flags/ours"}
        assert set(heard_other.snapshot.parts) == {"flags/theirs"}


def test_a_set_of_ten_megabytes_comes_whole(server: RedisServer, store: RedisStore, tmp_path: Path) -> None:
    change(store, {f"flags/f{number}": {"x": "y" * 900} for number in range(10_500)})
    with following(server.place(), file=tmp_path / "kept") as heard:
        heard.wait_version(1)
        change(store, {"flags/f7": flag()})
        heard.wait_version(2)
        assert heard.snapshot == store.read()
    cold = Heard()
    feed = RedisFeed(f"unix://{tmp_path}/nobody?set=shop", last_known_good=tmp_path / "kept")
    feed.start(cold)
    feed.stop()
    assert cold.snapshot == heard.snapshot


def test_live_processes_say_what_they_serve(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with following(server.place(), instance="a") as one, following(server.place(), instance="b") as two:
        one.wait_version(1)
        two.wait_version(1)
        made = change(store)
        seen = wait_for(lambda: _all_at(store, made.version, 2))
        assert {(ack.instance, ack.pid, ack.lineage) for ack in seen} == {
            (name, os.getpid(), store.read().lineage) for name in ("a", "b")
        }
        assert all(0 <= ack.seen_seconds_ago < 60 for ack in seen)
        assert {ack.mark for ack in seen} == {made.mark} == {seen.mark}
        assert (seen.version, seen.lineage) == (2, store.read().lineage)
    # They have said goodbye.
    assert len(store.acknowledgements()) == 0


def _all_at(store: RedisStore, version: int, count: int) -> Acknowledgements | None:
    seen = store.acknowledgements()
    return seen if len(seen) == count and all(ack.version == version for ack in seen) else None


def test_a_process_that_cannot_use_a_set_says_that_it_serves_the_one_before(
    server: RedisServer, store: RedisStore
) -> None:
    usable = threading.Event()

    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        if snapshot.version == 2 and not usable.is_set():
            raise MemoryError
        return compile_set(snapshot, before=before)

    def said() -> list[int]:
        return [each.version for each in store.acknowledgements()]

    change(store)
    feed = RedisFeed(server.place(), last_known_good=None)
    with Client(feed, compiler=compiler) as client:
        wait_for(lambda: said() == [1])
        change(store)
        wait_for(lambda: client.status.state is State.STALE)
        link = KEYS.seen
        with server.admin() as admin:
            # Twice more it has said something, and Redis has confirmed the set that it holds.
            for _ in range(2):
                before = admin.zrange(link, 0, -1, withscores=True)
                wait_for(lambda before=before: admin.zrange(link, 0, -1, withscores=True) != before)
        assert said() == [1]
        assert client.status.state is State.STALE
        usable.set()
        wait_for(lambda: said() == [2])
        assert (client.status.state, client.status.version) == (State.READY, 2)


def test_a_process_that_fell_silent_is_named_for_minutes_and_then_swept(server: RedisServer, store: RedisStore) -> None:
    with server.admin() as admin:
        seconds, _ = admin.time()
        for name, minutes in {"silent": 4, "gone": 6}.items():
            admin.hset(KEYS.live, name, '{"host":"h","pid":1,"version":1,"lineage":"x","mark":"y"}')
            admin.zadd(KEYS.seen, {name: (seconds - 60 * minutes) * 1000})
        (silent,) = store.acknowledgements()
        assert (silent.instance, silent.seen_seconds_ago) == ("silent", pytest.approx(240, abs=30))
        with following(server.place(), instance="here"):
            wait_for(lambda: {ack.instance for ack in store.acknowledgements()} == {"here", "silent"})
            assert set(admin.hkeys(KEYS.live)) == {b"here", b"silent"}
            assert admin.zcard(KEYS.seen) == 2
            assert admin.pttl(KEYS.live) > 300_000


def test_a_word_that_cannot_be_understood_is_somebody_all_the_same(server: RedisServer, store: RedisStore) -> None:
    with server.admin() as admin, following(server.place(), instance="here"):
        seconds, _ = admin.time()
        for name, said in {"a": "{", "b": '{"host":1}', "c": "[]"}.items():
            admin.hset(KEYS.live, name, said)
            admin.zadd(KEYS.seen, {name: seconds * 1000})
        admin.zadd(KEYS.seen, {"d": seconds * 1000})
        wait_for(lambda: len(store.acknowledgements()) == 5)
        told = {ack.instance: (ack.host, ack.version) for ack in store.acknowledgements() if ack.instance != "here"}
        assert told == dict.fromkeys("abcd", ("unknown host", 0))


@pytest.mark.parametrize("forks", [False, True])
def test_a_process_that_ends_without_closing_says_goodbye(
    server: RedisServer, store: RedisStore, *, forks: bool
) -> None:
    change(store)
    command = [sys.executable, "-c", _ENDS, server.place(), "forks" if forks else ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_for(lambda: len(store.acknowledgements()) == 1 + forks)
        process.communicate(b"end")
        assert process.returncode == 0
    assert len(store.acknowledgements()) == 0


_ENDS = """
import os, sys
from switchover.flags import open_client

client = open_client(sys.argv[1], recorder=None, last_known_good=None, wait_seconds=30)
child = os.fork() if sys.argv[2] else 0
if child or not sys.argv[2]:
    sys.stdin.read()
if child:
    os.kill(child, 15)
    os.waitpid(child, 0)
elif sys.argv[2]:
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        signal.pause()
"""


def test_a_feed_that_was_stopped_says_nothing_and_starts_again(server: RedisServer, store: RedisStore) -> None:
    change(store)
    heard = Heard()
    feed = RedisFeed(server.place(), last_known_good=None)
    feed.start(heard)
    heard.wait_version(1)
    feed.stop()
    feed.stop()
    told = list(heard.told)
    change(store)
    assert heard.told == told
    feed.start(heard)
    heard.wait_version(2)
    feed.stop()
    # It began with what it held.
    assert heard.told == [*told, "replace 1", "replace 2"]


def test_one_connection_is_enough(server: RedisServer, store: RedisStore) -> None:
    change(store)
    with server.admin() as admin:
        before = len(admin.client_list())
        with following(server.place()) as heard:
            heard.wait_confirmed()
            change(store)
            heard.wait_version(2)
            heard.wait_confirmed()
            assert len(admin.client_list()) == before + 1


def test_a_forked_child_follows_on_a_connection_of_its_own(server: RedisServer, store: RedisStore) -> None:
    change(store)
    heard = Heard()
    feed = RedisFeed(server.place(), last_known_good=None, instance="app")
    feed.start(heard)
    heard.wait_version(1)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            heard = Heard()
            feed.start(heard)
            heard.wait_version(3)
            feed.stop()
            assert heard.remembered == [None]
            status = 0
        finally:
            os._exit(status)
    try:
        change(store)
        seen = wait_for(lambda: _all_at(store, 2, 2))
        assert {(ack.instance, ack.pid) for ack in seen} == {("app", os.getpid()), (f"app-{child}", child)}
        change(store)
        heard.wait_version(3)
    finally:
        assert os.waitpid(child, 0)[1] == 0
    heard.wait_confirmed()
    feed.stop()
    assert heard.told == ["replace 1", "apply 2", "apply 3"]
    assert heard.remembered == []


def test_a_fork_while_the_thread_still_starts_does_not_hang(server: RedisServer, store: RedisStore) -> None:
    change(store)
    # In a fresh interpreter, so that the thread has the Redis client still to import when the fork comes.
    done = subprocess.run(
        [sys.executable, "-c", _FORKS_AT_ONCE, server.place()], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "child 1\nparent 1\n"), done.stderr


_FORKS_AT_ONCE = """
import os, sys, threading
from switchover.flags.redis_feed import RedisFeed
from switchover.flags.snapshot import Snapshot

class Listener:
    def __init__(self): self.came, self.version, self.served = threading.Event(), -1, Snapshot()
    def replace(self, snapshot, **_): self.served, self.version = snapshot, snapshot.version; self.came.set()
    def apply(self, snapshot, edits): pass
    def confirm(self): pass
    def lose(self, why): print("lost", why)

assert "redis" not in sys.modules
ours = Listener()
feed = RedisFeed(sys.argv[1], last_known_good=None)
feed.start(ours)
child = os.fork()
listener = ours if child else Listener()
if not child:
    feed.start(listener)
assert listener.came.wait(30)
if child:
    os.waitpid(child, 0)
print("parent" if child else "child", listener.version, flush=True)
feed.stop()
os._exit(0)
"""


def test_asking_for_a_feed_does_not_import_the_redis_client() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import switchover.flags.redis_feed, sys; print('redis' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_listener_that_fails_does_not_end_the_feed() -> None:
    class Failing(Heard):
        failed = threading.Event()

        def apply(self, snapshot: Snapshot, edits: Edits) -> None:
            Heard.apply(self, snapshot, edits)
            if not self.failed.is_set():
                self.failed.set()
                raise RuntimeError("a defect")

    with redis_server(OLD) as server:
        store = RedisStore(server.place())
        change(store)
        heard = Failing()
        feed = RedisFeed(server.place(), last_known_good=None)
        feed.start(heard)
        heard.wait_version(1)
        change(store)
        wait_for(heard.failed.is_set)
        change(store)
        heard.wait_version(3)
        heard.wait_confirmed()
        feed.stop()
        assert any("RuntimeError" in why for why in heard.losses)


def test_a_feed_shows_no_secret() -> None:
    feed = RedisFeed("redis://ada:hunter2@127.0.0.1:1/0?set=shop", last_known_good=None)
    assert repr(feed) == "RedisFeed('redis://127.0.0.1:1?set=shop')"
    heard = Heard()
    feed.start(heard)
    wait_for(lambda: heard.lost)
    feed.stop()
    assert "hunter2" not in "".join(heard.losses)
    assert NOTE.who not in "".join(heard.losses)
