"""Forked children follow the flags by themselves: os.fork, multiprocessing's fork and gunicorn with preload."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import urllib.request
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from switchover.flags import forks
from switchover.flags.client import Client
from switchover.flags.file_store import FileStore
from switchover.flags.memory_store import MemoryStore
from switchover.flags.opening import open_store
from switchover.flags.ports import FlagStore
from switchover.flags.snapshot import Json, Note, Snapshot
from tests.flags.client_cases import ON_OFF, Feed, a_snapshot, flag
from tests.real_parts.redis_server import free_ports, redis_server, wait_for

NOTE = Note("ada", "a test", "set")
ON, OFF = flag(ON_OFF, "on"), flag(ON_OFF, "off")


def run(script: str, *words: object) -> str:
    """Run it alone, for a fork of the tests' own process would take its threads' locks along."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *map(str, words)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


CHILD = """
import os, sys, threading, time
from switchover.flags.client import Client
from switchover.flags.file_feed import FileFeed
from switchover.flags.file_store import FileStore
from switchover.flags.snapshot import Note, Snapshot
from tests.flags.client_cases import ON_OFF, Recorded, flag

def wait_for(true):
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
"""


def test_a_child_sees_changes_and_so_does_the_parent(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
store = FileStore(sys.argv[1])
store.write(Snapshot(), {"flags/a": flag(ON_OFF, "on")}, Note("x", "", "set"))
recorder = Recorded()
client = Client(FileFeed(sys.argv[1]), recorder=recorder)
heard = []
client.subscribe(heard.append)
with client._handlers._lock:
    child = os.fork()
if child == 0:
    assert client.is_enabled("a") is True
    wait_for(lambda: client.is_enabled("a") is False)
    assert [call[0] for call in recorder.calls].count("start") == 2
    assert [event.kind for event in heard] == ["CHANGED"], heard
    client.subscribe(heard.append)
    grandchild = os.fork()
    if grandchild == 0:
        wait_for(lambda: client.is_enabled("a") is True)
        client.close()
        os._exit(7)
    wait_for(lambda: client.is_enabled("a") is True)
    assert os.waitpid(grandchild, 0)[1] >> 8 == 7
    client.close()
    assert threading.active_count() == 1
    os._exit(5)
time.sleep(0.5)
store.write(store.read(), {"flags/a": flag(ON_OFF, "off")}, Note("x", "", "set"))
wait_for(lambda: client.is_enabled("a") is False)
time.sleep(1)
store.write(store.read(), {"flags/a": flag(ON_OFF, "on")}, Note("x", "", "set"))
assert os.waitpid(child, 0)[1] >> 8 == 5
wait_for(lambda: client.is_enabled("a") is True)
client.close()
print("fine")
"""
    )
    assert run(script, tmp_path / "flags.json") == "fine\n"


def test_a_store_in_memory_whose_lock_was_held_goes_on_in_the_child() -> None:
    script = (
        CHILD
        + """
from switchover.flags.memory_store import MemoryStore
store = MemoryStore.from_document({"flags": {"a": flag(ON_OFF, "on")}})
client = Client(store.feed())
holding, let_go = threading.Event(), threading.Event()

def hold():
    with store._lock:
        holding.set()
        let_go.wait()

threading.Thread(target=hold, daemon=True).start()
holding.wait()
child = os.fork()
if child == 0:
    store.write(store.read(), {"flags/a": flag(ON_OFF, "off")}, Note("x", "", "set"))
    assert client.is_enabled("a") is False
    assert len(store.acknowledgements()) == 1
    os._exit(5)
assert os.waitpid(child, 0)[1] >> 8 == 5
let_go.set()
assert client.is_enabled("a") is True
print("fine")
"""
    )
    assert run(script) == "fine\n"


def test_a_closed_client_is_not_started_in_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
client = Client(FileFeed(sys.argv[1]))
client.close()
child = os.fork()
if child == 0:
    assert threading.active_count() == 1
    os._exit(5)
assert os.waitpid(child, 0)[1] >> 8 == 5
print("fine")
"""
    )
    assert run(script, tmp_path / "flags.json") == "fine\n"


def test_many_forks_while_flags_change_hang_nowhere(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
store = FileStore(sys.argv[1])
store.write(Snapshot(), {"flags/a": flag({"n": 0}, "n")}, Note("x", "", "set"))
client = Client(FileFeed(sys.argv[1], interval_seconds=0.001))
done = threading.Event()

def change():
    number = 0
    while not done.is_set():
        number += 1
        store.write(store.read(), {"flags/a": flag({"n": number}, "n")}, Note("x", "", "set"))

writer = threading.Thread(target=change)
writer.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        seen = client.get_value("a", -1)
        wait_for(lambda: client.get_value("a", -1) > seen)
        os._exit(5)
    assert os.waitpid(child, 0)[1] >> 8 == 5
done.set()
writer.join()
client.close()
print("fine")
"""
    )
    assert run(script, tmp_path / "flags.json") == "fine\n"


def test_a_child_that_is_made_while_the_last_change_is_compiled_gets_it_too(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
from switchover.flags.compiler import compile_set

parent, inside, go = os.getpid(), threading.Event(), threading.Event()

def compiler(snapshot, before):
    if snapshot.version > 1 and os.getpid() == parent:
        inside.set()
        go.wait(60)
    return compile_set(snapshot, before=before)

store = FileStore(sys.argv[1])
store.write(Snapshot(), {"flags/a": flag(ON_OFF, "on")}, Note("x", "", "set"))
client = Client(FileFeed(sys.argv[1]), compiler=compiler)
store.write(store.read(), {"flags/a": flag(ON_OFF, "off")}, Note("x", "", "kill"))
assert inside.wait(30)
child = os.fork()
if child == 0:
    wait_for(lambda: client.is_enabled("a") is False)
    assert client.status.version == 2
    os._exit(5)
assert os.waitpid(child, 0)[1] >> 8 == 5
assert client.is_enabled("a") is True
go.set()
wait_for(lambda: client.is_enabled("a") is False)
client.close()
print("fine")
"""
    )
    assert run(script, tmp_path / "flags.json") == "fine\n"


def test_who_is_gone_is_not_remembered() -> None:
    before = len(forks._alive)
    client = Client(Feed(a_snapshot()))
    store = MemoryStore()
    assert len(forks._alive) == before + 2
    gone = weakref.ref(store)
    client.close()
    del client, store
    gc.collect()
    assert gone() is None
    assert len(forks._alive) == before


APPLICATION = """
import os
from switchover.flags import open_client

client = open_client(os.environ["PLACE"], wait_seconds=30)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {client.is_enabled('a')} {client.status.state}".encode()]
"""


@contextmanager
def in_a_file(folder: Path) -> Iterator[tuple[str, FlagStore]]:
    place = f"file:{folder / 'flags.json'}"
    yield place, open_store(place)


@contextmanager
def in_redis(_folder: Path) -> Iterator[tuple[str, FlagStore]]:
    with redis_server() as server:
        yield server.place(), open_store(server.place())


@contextmanager
def gunicorn(folder: Path, place: str, workers: int) -> Iterator[str]:
    """An application with the client in its preloaded part, and its address."""
    (folder / "service.py").write_text(APPLICATION)
    (port,) = free_ports(1)
    words = [
        "--preload",
        "--workers",
        workers,
        "--bind",
        f"127.0.0.1:{port}",
        "--log-level",
        "error",
        "service:application",
    ]
    environment = {**os.environ, "PLACE": place, "XDG_STATE_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *map(str, words)], cwd=folder, env=environment, stderr=subprocess.PIPE
    )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert b"Traceback" not in said, said.decode()


@pytest.mark.parametrize("kept", [in_a_file, in_redis])
def test_every_worker_of_gunicorn_with_preload_sees_a_change(kept: type, tmp_path: Path) -> None:
    with kept(tmp_path) as (place, store):
        store.write(Snapshot(), {"flags/a": ON}, NOTE)
        with gunicorn(tmp_path, place, workers=3) as address:

            def all_say(value: str) -> bool:
                said = dict[str, set[str]]()
                for _ in range(40):
                    pid, answer, _state = ask(address)
                    said.setdefault(pid, set()).add(answer)
                return len(said) == 3 and all(answers == {value} for answers in said.values())

            wait_for(lambda: is_up(address), within=60)
            wait_for(lambda: all_say("True"), within=60)
            change: Json = OFF
            store.write(store.read(), {"flags/a": change}, NOTE)
            wait_for(lambda: all_say("False"), within=60)
            if not isinstance(store, FileStore):
                # The parent and three workers, each by a connection and a name of its own.
                wait_for(lambda: len({each.pid for each in store.acknowledgements() if each.version == 2}) == 4)


def ask(address: str) -> list[str]:
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - the address is our own
        return str(answer.read().decode()).split()


def is_up(address: str) -> bool:
    try:
        return bool(ask(address))
    except OSError:
        return False
