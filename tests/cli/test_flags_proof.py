"""`switchover flags` on a real Redis, with processes that follow: the kill with proof, and two writers at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from switchover.flags.redis_form import keys_of
from switchover.flags.redis_place import read_redis_place
from switchover.flags.redis_store import RedisStore
from tests.cli.test_flags import Flags
from tests.real_parts.redis_server import RedisServer, redis_server, wait_for

_WHY = ("--why", "a test", "--who", "ann@example.com")
_FOLLOWER = """
import sys
from switchover.flags.client import Client
from switchover.flags.redis_feed import RedisFeed

with Client(RedisFeed(sys.argv[1], last_known_good=None)) as client:
    assert client.wait_ready(30)
    print("ready", flush=True)
    for line in sys.stdin:
        print(client.is_enabled("checkout", default=True), flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def shop(server: RedisServer, tmp_path: Path) -> Flags:
    """The flag `checkout`, on for everybody, at version 1 of a set of its own."""
    made = Flags(server.place(tmp_path.name.replace("_", "-")[-60:].strip("-")))
    made.done("set", "checkout", "--default", "on", *_WHY)
    return made


@contextmanager
def following(shop: Flags) -> Iterator[subprocess.Popen[str]]:
    """A process that follows the set, and has said so."""
    command = [sys.executable, "-c", _FOLLOWER, shop.store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            wait_for(lambda: process.pid in [each.pid for each in RedisStore(shop.store).acknowledgements()])
            yield process
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_kill_is_proven_by_every_process_and_a_repeated_one_again(shop: Flags) -> None:
    with following(shop) as first, following(shop) as second:
        assert (ask(first), ask(second)) == ("True", "True")
        told = shop.done("kill", "checkout", "--wait", *_WHY)
        assert "2 of 2 processes confirmed version 2 after 0." in told
        assert (ask(first), ask(second)) == ("False", "False")
        proof = shop.run("kill", "checkout", "--wait", *_WHY, "--json").json["proof"]
        assert (proof["complete"], proof["version"]) == (True, 2)
        assert {each["pid"] for each in proof["acknowledged"]} == {first.pid, second.pid}


def test_a_stopped_process_is_named_until_it_goes_on(shop: Flags) -> None:
    with following(shop) as awake, following(shop) as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        ran = shop.run("kill", "checkout", "--wait", "--timeout", "2", *_WHY)
        assert ran.status == 1
        assert "1 of 2 processes confirmed version 2" in ran.out
        assert f"not yet: {os.uname().nodename} pid {stopped.pid}, serves version 1" in ran.out
        assert ask(awake) == "False"
        os.kill(stopped.pid, signal.SIGCONT)
        told = shop.done("kill", "checkout", "--wait", "--timeout", "60", *_WHY)
        assert "2 of 2 processes confirmed version 2" in told
        assert ask(stopped) == "False"


def test_a_process_that_stays_silent_longer_than_redis_remembers_it_is_still_named(shop: Flags) -> None:
    with following(shop) as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        ran = shop.run("kill", "checkout", "--wait", "--timeout", "8", *_WHY, "--json")
        assert RedisStore(shop.store).acknowledgements() == []
        assert (ran.status, [each["pid"] for each in ran.json["proof"]["missing"]]) == (1, [stopped.pid])


def test_nobody_who_follows_is_said(shop: Flags) -> None:
    assert "no live process follows these flags" in shop.done("kill", "checkout", "--wait", *_WHY)


def test_two_command_lines_at_once_lose_nothing(shop: Flags) -> None:
    script = (
        "import sys\n"
        "from switchover.cli.main import run\n"
        "change = ['flags', 'target', 'checkout', '--variant', 'off', '--store', sys.argv[1]]\n"
        "for each in sys.argv[2:]:\n"
        "    assert run([*change, '--user', each]) == 0\n"
    )
    names = [[f"user-{writer}-{turn}" for turn in range(10)] for writer in range(2)]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, shop.store, *each], stdout=subprocess.DEVNULL) for each in names
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    document = json.dumps(shop.definition("checkout"))
    assert [name for each in names for name in each if name not in document] == []
    assert shop.run("list", "--json").json["version"] == 21


def test_a_version_beyond_the_kept_trail_is_refused(shop: Flags, server: RedisServer) -> None:
    for percent in ("1", "2", "3"):
        shop.done("rollout", "checkout", percent)
    with server.admin() as admin:
        admin.xtrim(keys_of(read_redis_place(shop.store).set_name).changes, maxlen=2, approximate=False)
    assert "no entry of version 2" in shop.refused("restore", "--version", "1", *_WHY)
    assert "no entry of version 2" in shop.refused("undo", "2", *_WHY)
    assert "everybody: 1 % on, 99 % off" in shop.done("restore", "--version", "2", *_WHY)
