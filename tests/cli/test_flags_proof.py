"""`switchover flags` on a real Redis, with processes that follow: the kill with proof, and two writers at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from switchover.errors import TargetError
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


def test_a_process_that_was_silent_long_before_the_kill_is_named_with_the_time(
    shop: Flags, server: RedisServer
) -> None:
    with following(shop) as stopped, server.admin() as admin:
        os.kill(stopped.pid, signal.SIGSTOP)
        wait_for(lambda: [each.seen_seconds_ago > 2 for each in RedisStore(shop.store).acknowledgements()] == [True])
        ran = shop.run("kill", "checkout", "--wait", "--timeout", "0.5", *_WHY)
        assert ran.status == 1
        assert "0 of 1 processes confirmed version 2" in ran.out
        assert f"pid {stopped.pid}, serves version 1, silent since " in ran.out
        # It has still the old value in its hands, and hears of the new one as soon as it goes on.
        admin.zadd(keys_of(read_redis_place(shop.store).set_name).seen, {_instance(shop): _minutes_ago(admin, 4)})
        again = shop.run("kill", "checkout", "--wait", "--timeout", "0.5", *_WHY, "--json")
        assert (again.status, again.json["proof"]["outcome"]) == (1, "late")
        os.kill(stopped.pid, signal.SIGCONT)
        assert "1 of 1 processes" in shop.done("kill", "checkout", "--wait", "--timeout", "60", *_WHY)


def _instance(shop: Flags) -> str:
    (process,) = RedisStore(shop.store).acknowledgements()
    return process.instance


def _minutes_ago(admin: redis.Redis, minutes: int) -> int:
    seconds, _ = admin.time()
    return (int(seconds) - 60 * minutes) * 1000


def test_a_process_that_was_killed_is_named_and_one_that_ended_is_not(shop: Flags) -> None:
    with following(shop) as killed, following(shop) as ended:
        assert ended.stdin is not None
        ended.stdin.close()
        assert ended.wait(60) == 0
        killed.kill()
        killed.wait(60)
        ran = shop.run("kill", "checkout", "--wait", "--timeout", "3", *_WHY, "--json")
        assert (ran.status, [each["pid"] for each in ran.json["proof"]["missing"]]) == (1, [killed.pid])


def test_nobody_is_no_proof_unless_that_is_allowed(shop: Flags) -> None:
    ran = shop.run("kill", "checkout", "--wait", *_WHY)
    assert ran.status == 1
    assert "not proven: no process that follows these flags was heard of" in ran.out
    assert "not proven: no process" in shop.done("kill", "checkout", "--wait", "--allow-nobody", *_WHY)
    hasty = shop.run("kill", "checkout", "--wait", "--allow-nobody", "--timeout", "0.1", *_WHY)
    assert hasty.status == 1
    assert "may take 2 s" in hasty.out


def test_processes_that_were_cut_off_are_waited_for_when_the_server_is_back_with_its_data() -> None:
    with redis_server("6.2", "appendonly yes", "appendfsync always") as server:
        shop = Flags(server.place())
        shop.done("set", "checkout", "--default", "on", *_WHY)
        with following(shop) as process:
            server.kill()
            server.start()
            with server.admin() as admin:
                admin.delete(*(keys_of("shop").live, keys_of("shop").seen))
            told = shop.done("kill", "checkout", "--wait", "--timeout", "60", *_WHY)
            assert "1 of 1 processes confirmed version 2" in told
            assert ask(process) == "False"


def test_a_set_that_vanishes_during_the_wait_is_no_proof(shop: Flags, server: RedisServer) -> None:
    with following(shop) as stopped, server.admin() as admin:
        os.kill(stopped.pid, signal.SIGSTOP)
        vanishing = threading.Thread(target=_vanish_after_change, args=(shop, admin))
        vanishing.start()
        ran = shop.run("kill", "checkout", "--wait", "--timeout", "30", *_WHY)
        vanishing.join()
        assert ran.status == 1
        assert "the change is not there any more" in ran.out


def _vanish_after_change(shop: Flags, admin: redis.Redis) -> None:
    wait_for(lambda: RedisStore(shop.store).read().version == 2)
    keys = keys_of(read_redis_place(shop.store).set_name)
    admin.delete(keys.set, keys.changes, keys.live, keys.seen)


def test_a_wait_that_fails_says_in_json_that_the_change_is_made() -> None:
    with redis_server("6.2") as server:
        shop = Flags(server.place())
        shop.done("set", "checkout", "--default", "on", *_WHY)
        with following(shop) as stopped:
            os.kill(stopped.pid, signal.SIGSTOP)
            ending = threading.Thread(target=_end_after_change, args=(shop, server))
            ending.start()
            ran = shop.run("kill", "checkout", "--wait", "--timeout", "60", *_WHY, "--json")
            ending.join()
    assert ran.status == TargetError.exit_status
    assert (ran.json["version"], ran.json["changed"], ran.json["proof"]) == (2, ["flags/checkout"], None)
    assert ran.json["error"]["failed"] in ran.err
    assert "could not be read" in ran.err


def _end_after_change(shop: Flags, server: RedisServer) -> None:
    wait_for(lambda: RedisStore(shop.store).read().version == 2)
    server.kill()


def test_whoever_interrupts_the_wait_is_told_of_the_change_in_json_too(shop: Flags, server: RedisServer) -> None:
    # A suite that was started in the background hands on that SIGINT is ignored.
    program = (
        "import signal, sys; from switchover.cli.main import run;"
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(run(sys.argv[1:]))"
    )
    words = ("flags", "kill", "checkout", "--store", shop.store, "--wait", "--timeout", "60", "--json", *_WHY)
    with following(shop) as stopped, server.admin() as admin:
        os.kill(stopped.pid, signal.SIGSTOP)
        admin.config_resetstat()
        with subprocess.Popen(
            [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as waiting:
            # It asks who is there: so it waits.
            wait_for(lambda: "cmdstat_zrange" in admin.info("commandstats"))
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, json.loads(out)["version"]) == (130, 2)
    assert "interrupted" in err


def test_one_broken_flag_keeps_nobody_from_changing_the_others(
    shop: Flags, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    shop.done("kill", "checkout", *_WHY)
    with server.admin() as admin:
        admin.hset(keys_of(read_redis_place(shop.store).set_name).set, "flags/other", "{broken")
    for arguments in (("list",), ("show", "checkout"), ("revive", "checkout", *_WHY), ("kill", "checkout", *_WHY)):
        caplog.clear()
        shop.done(*arguments)
        assert "flags/other is no JSON" in caplog.text
    assert "other is broken in the store" in shop.refused("kill", "other", *_WHY)
    assert "other is broken in the store" in shop.refused("set", "other", "--default", "on", *_WHY)
    assert shop.run("remove", "other", "--still-asked", *_WHY).status == 0
    assert "other" not in shop.done("list")


def test_a_set_that_was_lost_is_not_begun_anew_with_one_flag(shop: Flags, server: RedisServer) -> None:
    shop.done("set", "search", "--default", "on", *_WHY)
    keys = keys_of(read_redis_place(shop.store).set_name)
    with following(shop), server.admin() as admin:
        admin.delete(keys.set, keys.changes)
        assert "no set: it was never written there, or was lost" in shop.refused("kill", "checkout", *_WHY)
        assert "flags import" in shop.refused("kill", "checkout", *_WHY)
        assert "processes that serve its version 2" in shop.refused("set", "checkout", *_WHY)
        assert RedisStore(shop.store).read().version == 0
        shop.done("set", "checkout", "--new-set", *_WHY)
    assert RedisStore(shop.store).read().version == 1


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
    assert "version 2 cannot be taken back" in shop.refused("undo", "2", *_WHY)
    assert "everybody: 1 % on, 99 % off" in shop.done("restore", "--version", "2", *_WHY)
