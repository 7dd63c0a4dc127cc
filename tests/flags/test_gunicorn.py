"""gunicorn loads an application once and forks its workers: every one of them has to follow the flags by itself."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchover.flags.changes import kill, new_flag
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Note
from tests.real_parts.redis_server import NEW, redis_server

_WORKERS = 3
_OPTIONS = ("--preload", "--workers", str(_WORKERS), "--bind", "127.0.0.1:0", "--no-control-socket")
_SECONDS = 30.0
_WHO = Note("test", "to see it arrive", "set")


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    with redis_server(NEW) as server:
        place = server.place("gunicorn")
        store = RedisStore(place)
        store.write(store.read(), {"flags/checkout": new_flag(default="on")}, _WHO)
        yield place


@pytest.fixture
def port(place: str, tmp_path: Path) -> Iterator[int]:
    log = tmp_path / "gunicorn.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *_OPTIONS, "tests.flags.gunicorn_app:app"],
            env=os.environ | {"SWITCHOVER_TEST_PLACE": place},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait(lambda: _listening_on(log), log.read_text)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listening_on(log: Path) -> int | None:
    lines = [line for line in log.read_text().splitlines() if "Listening at: http://127.0.0.1:" in line]
    return int(lines[0].split("127.0.0.1:")[1].split()[0]) if lines else None


def _wait(condition: Callable[[], int | None], explain: Callable[[], str]) -> int:
    deadline = time.monotonic() + _SECONDS
    while (found := condition()) is None:
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
    return found


def _ask(port: int) -> tuple[int, bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer["pid"], answer["on"]


def _ask_all(port: int, wanted: bool) -> set[int]:  # noqa: FBT001 - what a flag answers
    """The workers whose last answer was that one, when all have been heard and agree; else those that do not yet."""
    heard: dict[int, bool] = {}
    deadline = time.monotonic() + _SECONDS
    while len(heard) < _WORKERS or set(heard.values()) != {wanted}:
        assert time.monotonic() < deadline, f"heard {heard}, wanted {wanted} of {_WORKERS} workers"
        pid, heard_now = _ask(port)
        heard[pid] = heard_now
    return set(heard)


def test_every_worker_forked_from_a_preloaded_application_sees_a_kill(place: str, port: int) -> None:
    store = RedisStore(place)
    workers = _ask_all(port, wanted=True)
    before = store.read()
    flag = before.flag("checkout")
    assert isinstance(flag, dict)
    store.write(before, {"flags/checkout": kill(flag)}, _WHO)
    assert _ask_all(port, wanted=False) == workers


def test_every_worker_acknowledges_what_it_serves(place: str, port: int) -> None:
    store = RedisStore(place)
    workers: set[int] = set()
    while len(workers) < _WORKERS:
        workers.add(_ask(port)[0])
    deadline = time.monotonic() + _SECONDS
    while not workers <= {each.pid for each in store.acknowledgements()}:
        assert time.monotonic() < deadline, store.acknowledgements()
        time.sleep(0.1)
    served = {each.version for each in store.acknowledgements() if each.pid in workers}
    assert served == {store.read().version}
