"""Recording to a real server that is killed, hung and restarted, from one process and from several."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.errors import InputError, LedgerUnreadableError, TargetError
from switchover.flags.context import Context
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.exposures import ExposureRecorder
from switchover.flags.flag_set import FlagSet
from switchover.flags.records import Batch, Exposure
from switchover.flags.redis_connection import Patience
from tests.flags.recording_cases import SPLIT, boolean, compiled
from tests.real_parts.redis_server import RedisServer, redis_server

ROOT = Path(__file__).parents[2]
KEEPS_DATA = ("appendonly yes", "appendfsync always")
IMPATIENT = Patience(0.5, 0.5)


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    with redis_server("6.2", *KEEPS_DATA) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    if not shared.answers():
        shared.restart()
    shared.admin().flushall()
    return shared


def experiment() -> FlagSet:
    return compiled(test=boolean(SPLIT, experiment=True))


def answer(flags: FlagSet, recorder: ExposureRecorder, unit: str) -> None:
    context = Context(unit)
    resolution = flags.answers["test"](context)
    resolution.count()
    recorder.exposed(resolution, context)


def recorder_on(server: RedisServer, flags: FlagSet, buffer_limit: int = 20_000) -> ExposureRecorder:
    keeper = RedisRecords(server.place(), patience=IMPATIENT)
    recorder = ExposureRecorder(keeper, interval_seconds=1000, buffer_limit=buffer_limit)
    recorder.swapped(flags)
    return recorder


def kept(server: RedisServer) -> tuple[int, int]:
    """Answers and units."""
    keeper = RedisRecords(server.place())
    answers = sum(count.count for count in keeper.read_counts().get("test", ()))
    return answers, sum(one.units for one in keeper.read_experiment("test", "purchase").variants.values())


def test_a_server_that_is_killed_in_the_middle_and_comes_back_has_everything_once(server: RedisServer) -> None:
    flags = experiment()
    recorder = recorder_on(server, flags)
    for number in range(600):
        answer(flags, recorder, f"user{number}")
    assert recorder.flush()
    server.kill()
    for number in range(600, 1800):
        answer(flags, recorder, f"user{number}")
        if number % 300 == 0:
            assert not recorder.flush()
    server.start()
    for number in range(1500, 2000):
        answer(flags, recorder, f"user{number}")
    assert recorder.flush()
    assert kept(server) == (2300, 2000)
    assert (recorder.waiting, recorder.dropped) == (0, {})


def test_a_server_that_hangs_takes_what_it_had_received_once(server: RedisServer) -> None:
    """The batch lies in the hung server's socket and is carried out when it goes on: the repetition is refused."""
    flags = experiment()
    recorder = recorder_on(server, flags)
    answer(flags, recorder, "first")
    assert recorder.flush()
    server.hang()
    try:
        for number in range(50):
            answer(flags, recorder, f"user{number}")
        assert not recorder.flush()
        assert not recorder.flush()
    finally:
        server.go_on()
    assert recorder.flush()
    assert kept(server) == (51, 51)


def test_a_server_that_comes_back_empty_gets_what_is_new(server: RedisServer) -> None:
    flags = experiment()
    recorder = recorder_on(server, flags)
    answer(flags, recorder, "first")
    assert recorder.flush()
    server.admin().flushall()
    answer(flags, recorder, "second")
    assert recorder.flush()
    assert kept(server) == (1, 1)


def test_two_processes_add_up_and_enrol_a_unit_once(server: RedisServer) -> None:
    program = """
import sys
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.exposures import ExposureRecorder
from tests.flags.test_recording_to_redis import answer, experiment
flags = experiment()
recorder = ExposureRecorder(RedisRecords(sys.argv[1]), interval_seconds=0.01)
recorder.swapped(flags)
recorder.start()
for number in range(1500):
    answer(flags, recorder, f"user{number % 1000}")
recorder.stop()
sys.exit(recorder.waiting)
"""
    command = [sys.executable, "-c", program, server.place()]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert kept(server) == (3000, 1000)
    assert RedisRecords(server.place()).read_experiment("test", "purchase").reassigned == 0


def test_memory_of_the_server_is_bounded_by_the_limit_of_units(server: RedisServer) -> None:
    keeper = RedisRecords(server.place(), max_units=1000)
    for sequence in range(1, 41):
        units = [Exposure("test", f"unit{sequence}-{number}", "on", 1) for number in range(500)]
        keeper.write(Batch("one", sequence, (), units))
    data = keeper.read_experiment("test", "purchase")
    assert (data.variants["on"].units, data.refused) == (1000, 19_000)
    assert server.admin().hlen("{switchover:flags:shop}:records:units:test") == 1000


def test_every_key_has_the_tag_of_the_set_and_a_lifetime(server: RedisServer) -> None:
    flags = experiment()
    recorder = recorder_on(server, flags)
    answer(flags, recorder, "anna@example.org")
    recorder.tracked("purchase", Context("anna@example.org"), 3.0)
    assert recorder.flush(everything=True)
    client = server.admin()
    keys = client.keys("*")
    assert len(keys) == 5
    for key in keys:
        assert key.startswith(b"{switchover:flags:shop}:records:")
        assert client.ttl(key) > 0
    assert not any(b"anna" in client.dump(key) for key in keys)


def test_two_sets_on_one_server_are_apart(server: RedisServer) -> None:
    RedisRecords(server.place("one")).write(Batch("i", 1, (), [Exposure("test", "u", "on", 1)]))
    assert RedisRecords(server.place("two")).read_experiment("test", "e").variants == {}


def test_a_foreign_key_in_the_way_is_reported_and_its_batch_dropped(server: RedisServer) -> None:
    server.admin().set("{switchover:flags:shop}:records:units:test", "mine")
    flags = experiment()
    recorder = recorder_on(server, flags)
    answer(flags, recorder, "anna")
    assert recorder.flush()
    assert recorder.waiting == 0
    assert recorder.dropped["exposures"] == 1
    with pytest.raises(LedgerUnreadableError, match="another type"):
        RedisRecords(server.place()).read_experiment("test", "e")


def test_fields_that_nobody_of_ours_wrote_are_unreadable_and_no_crash(server: RedisServer) -> None:
    keeper = RedisRecords(server.place())
    flags = experiment()
    recorder = recorder_on(server, flags)
    answer(flags, recorder, "anna")
    recorder.flush()
    (counts,) = server.admin().keys("*:counts:*")
    server.admin().hset(counts, "not json", "x")
    with pytest.raises(LedgerUnreadableError, match="no answer"):
        keeper.read_counts()
    server.admin().hset("{switchover:flags:shop}:records:units:test", "u", "no separator")
    with pytest.raises(LedgerUnreadableError):
        keeper.read_experiment("test", "e")


def test_a_silent_server_is_a_target_error_without_the_password() -> None:
    keeper = RedisRecords("redis://user:hunter2@127.0.0.1:1/0?set=shop", patience=IMPATIENT)
    with pytest.raises(TargetError) as caught:
        keeper.read_counts()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError):
        RedisRecords("http://127.0.0.1/")
