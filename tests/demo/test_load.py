"""The load generator counts exactly, never waits for an answer, and never leaves this machine."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest

from switchover.demo.load_connection import Outcome
from switchover.demo.load_generator import LoadGenerator, LoadPlan
from switchover.demo.load_report import LoadReport, read_load
from switchover.demo.load_tally import LoadTally
from switchover.errors import InputError

DROP = b""

# What the scripted server sends for request number n; DROP closes the connection without an answer.
Script = Callable[[int], Awaitable[bytes]]


def answer(status: int, version: str = "1.0.0", colour: str = "blue", more: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status} Whatever\r\nX-App-Version: {version}\r\nx-switchover-colour: {colour}\r\n"
        f"{more}content-length: 5\r\n\r\nhello"
    ).encode()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on a free port that follows the script and remembers the request lines."""
    seen: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head.split(b"\r\n")[0])
                reply = await script(len(seen) - 1)
                if reply == DROP:
                    break
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


def generate(
    tmp_path: Path, script: Script, requests: int, *, timeout_seconds: float = 30.0
) -> tuple[LoadReport, list[bytes]]:
    async def run() -> list[bytes]:
        async with serving(script) as (port, seen):
            plan = LoadPlan("127.0.0.1", port, "/", 500, requests, 60, 250, 0.05, timeout_seconds)
            with (tmp_path / "load.jsonl").open("a") as out:
                await LoadGenerator(plan, LoadTally(out, time.time(), plan.latency_budget_ms)).run(asyncio.Event())
            return seen

    seen = asyncio.run(run())
    return read_load(tmp_path / "load.jsonl"), seen


def test_server_errors_and_lost_connections_are_failures_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    replies = {3: answer(500, "1.2.0", "green"), 7: answer(503), 8: DROP, 9: answer(404), 11: b"nonsense\r\n\r\n"}

    async def script(number: int) -> bytes:
        return replies.get(number, answer(200))

    report, seen = generate(tmp_path, script, 50)
    assert report.summary is not None
    assert (report.summary.sent, report.summary.finished, report.summary.failed) == (50, 50, 4)
    assert report.summary.ended == "count"
    assert len(seen) == 50
    assert sorted(failure.failure for failure in report.failures) == [
        "connection closed",
        "status 500",
        "status 503",
        "unreadable answer",
    ]


def test_every_request_asks_for_the_next_cart(tmp_path: Path) -> None:
    async def script(_number: int) -> bytes:
        return answer(200)

    _, seen = generate(tmp_path, script, 12)
    assert set(seen) == {f"GET /?cart={number} HTTP/1.1".encode() for number in range(12)}


def test_requests_are_counted_by_colour_and_version(tmp_path: Path) -> None:
    async def script(number: int) -> bytes:
        return answer(500 if number % 10 == 9 else 200, "1.2.0", "green") if number % 2 else answer(200)

    report, _ = generate(tmp_path, script, 40)
    bad, good = report.count_version("1.2.0"), report.count_version("1.0.0")
    assert bad is not None
    assert good is not None
    assert (bad.requests, bad.failed, good.requests, good.failed) == (20, 4, 20, 0)
    first = report.first_failure_of("1.2.0")
    assert first is not None
    assert bad.first_at <= first <= bad.last_at
    assert report.first_failure_of("1.0.0") is None
    assert report.count_version("9.9.9") is None
    green = report.count_colour("green", 0, time.time() + 1)
    assert green is not None
    assert (green.requests, green.failed) == (20, 4)
    assert report.requests_between(0, time.time() + 1) == 40
    assert len(report.failures_between(first, first + 3600)) == 4
    assert report.failures_between(0, first) == ()


def test_an_answer_that_does_not_come_keeps_no_other_request_from_being_sent(tmp_path: Path) -> None:
    everything_sent = asyncio.Event()

    async def script(number: int) -> bytes:
        # Nobody is answered before the last one has asked: whoever waits for answers never gets here.
        if number == 29:
            everything_sent.set()
        await everything_sent.wait()
        return answer(200)

    report, _ = generate(tmp_path, script, 30)
    assert report.summary is not None
    assert (report.summary.finished, report.summary.failed) == (30, 0)


def test_a_connection_is_kept_for_the_next_request_unless_the_answer_says_that_it_ends(tmp_path: Path) -> None:
    async def script(number: int) -> bytes:
        return answer(200, more="connection: close\r\n" if number % 2 else "")

    report, _ = generate(tmp_path, script, 20)
    assert report.summary is not None
    assert report.summary.failed == 0


def test_silence_is_a_failure(tmp_path: Path) -> None:
    async def script(number: int) -> bytes:
        if number == 2:
            await asyncio.sleep(3600)
        return answer(200)

    report, _ = generate(tmp_path, script, 5, timeout_seconds=2.0)
    assert [failure.failure for failure in report.failures] == ["timeout"]


def test_a_refused_connection_is_a_failure(tmp_path: Path) -> None:
    async def run(out: StringIO) -> None:
        async def script(_number: int) -> bytes:
            return DROP

        async with serving(script) as (port, _):
            pass
        plan = LoadPlan("127.0.0.1", port, "/", 500, 3, 60, 250)
        await LoadGenerator(plan, LoadTally(out, time.time(), 250)).run(asyncio.Event())

    out = StringIO()
    asyncio.run(run(out))
    (tmp_path / "load.jsonl").write_text(out.getvalue())
    report = read_load(tmp_path / "load.jsonl")
    assert {failure.failure.split(":")[0] for failure in report.failures} == {"cannot connect"}
    assert len(report.failures) == 3


def test_latency_counts_from_the_moment_at_which_a_request_was_due() -> None:
    tally = LoadTally(StringIO(), 100.0, 250)
    for _ in range(2):
        tally.count_sent()
    tally.count_ended(Outcome(""), due=100.0, at=100.3)
    tally.count_ended(Outcome(""), due=100.2, at=100.3)
    summary = tally.write_summary(101.0, "count")
    assert (summary.slow, summary.p50_ms, summary.p99_ms) == (1, 100.0, 300.0)


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "switchover.demo.load", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://localhost/", "http://example.org/", "https://127.0.0.1/", "http://0.0.0.0/"]
)
def test_only_an_address_of_this_machine_is_sent_load(tmp_path: Path, url: str) -> None:
    out = tmp_path / "load.jsonl"
    done = run_program("--url", url, "--requests", "1", "--seconds-limit", "1", "--out", str(out))
    assert done.returncode == 2
    assert url in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("bound", [("--rate", "100000"), ("--requests", "0"), ("--seconds-limit", "nan")])
def test_load_without_bounds_is_refused(tmp_path: Path, bound: tuple[str, str]) -> None:
    bounds = {"--rate": "10", "--requests": "1", "--seconds-limit": "1", bound[0]: bound[1]}
    arguments = [part for pair in bounds.items() for part in pair]
    done = run_program("--url", "http://127.0.0.1:1/", *arguments, "--out", str(tmp_path / "load.jsonl"))
    assert done.returncode == 2
    assert bound[0] in done.stderr


def test_sigterm_ends_the_program_with_its_summary(tmp_path: Path) -> None:
    async def run() -> int:
        asked = asyncio.Event()

        async def script(number: int) -> bytes:
            if number == 5:
                asked.set()
            return answer(200)

        async with serving(script) as (port, _):
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "switchover.demo.load", "--url", f"http://127.0.0.1:{port}/"),
                *("--rate", "50", "--requests", "100000", "--seconds-limit", "60"),
                *("--out", str(tmp_path / "load.jsonl")),
            )
            await asked.wait()
            program.send_signal(signal.SIGTERM)
            return await program.wait()

    assert asyncio.run(run()) == 0
    summary = read_load(tmp_path / "load.jsonl").summary
    assert summary is not None
    assert summary.ended == "stopped"
    assert summary.sent == summary.finished >= 6
    assert summary.failed == 0


def test_a_report_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    assert read_load(path) == LoadReport((), (), None)
    path.write_text('{"kind": "failure", "at": 1.0, "failure": "timeout", "colour": "", "version": ""}\n{"kind": "int')
    assert [failure.at for failure in read_load(path).failures] == [1.0]


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"kind": "failure"}', '{"kind": "other"}'])
def test_a_file_of_another_kind_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "load.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_load(path)
