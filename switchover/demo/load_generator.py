"""Sends requests at a constant rate, whatever becomes of them.

The schedule is fixed beforehand: request n is due n / rate seconds after the start. A slow answer delays no other
request, a late request is sent at once, and latency counts from the moment at which the request was due, so
that waiting is never hidden (coordinated omission). A failed request is never repeated.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from switchover.demo.load_connection import Connection, Outcome
from switchover.demo.load_report import Summary
from switchover.demo.load_tally import LoadTally


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is sent: `rate` requests a second to http://`host`:`port``path`, at most `requests` of them.

    Sending ends after `seconds_limit` at the latest. An answer over `latency_budget_ms` counts as slow, none within
    `timeout_seconds` as failed.
    """

    host: str
    port: int
    path: str
    rate: float
    requests: int
    seconds_limit: float
    latency_budget_ms: float
    interval_seconds: float = 1.0
    timeout_seconds: float = 5.0

    def write_request(self, number: int) -> bytes:
        """Write request `number`, which asks for the cart of that number."""
        joint = "&" if "?" in self.path else "?"
        return f"GET {self.path}{joint}cart={number} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n\r\n".encode()


class LoadGenerator:
    """Carries out one plan, once."""

    def __init__(self, plan: LoadPlan, tally: LoadTally) -> None:
        self._plan = plan
        self._tally = tally
        self._idle: list[Connection] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._sending = True
        self._quiet = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> Summary:
        """Send until the count or the time is reached or `stop` is set; then wait for what is in flight."""
        reporting = asyncio.create_task(self._report())
        ended = await self._send_all(stop)
        self._sending = False
        if self._tally.in_flight:
            await self._quiet.wait()
        reporting.cancel()
        for connection in self._idle:
            connection.close()
        end = time.time()
        self._tally.write_interval(end)
        return self._tally.write_summary(end, ended)

    async def _send_all(self, stop: asyncio.Event) -> str:
        """Send on schedule; return why it ended."""
        # The wall clock may be set while we run, so the schedule follows the monotonic one.
        start, to_epoch = time.monotonic(), time.time() - time.monotonic()
        for number in range(self._plan.requests):
            due = start + number / self._plan.rate
            if due - start >= self._plan.seconds_limit:
                return "time limit"
            ahead = due - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            elif number % 100 == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                return "stopped"
            self._send(number, due, to_epoch)
        return "count"

    def _send(self, number: int, due: float, to_epoch: float) -> None:
        self._tally.count_sent()
        request = self._plan.write_request(number)
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                self._send_over(connection, request, due, to_epoch)
                return
        task = asyncio.create_task(self._send_over_new(request, due, to_epoch))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _send_over_new(self, request: bytes, due: float, to_epoch: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._plan.timeout_seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._idle.append), self._plan.host, self._plan.port
                )
        except TimeoutError:
            self._end(due, to_epoch, Outcome("timeout"))
        except OSError as error:
            self._end(due, to_epoch, Outcome(f"cannot connect: {error.strerror or error}"))
        else:
            self._send_over(connection, request, due, to_epoch)

    def _send_over(self, connection: Connection, request: bytes, due: float, to_epoch: float) -> None:
        timer = asyncio.get_running_loop().call_later(self._plan.timeout_seconds, connection.give_up, "timeout")
        connection.send(request, partial(self._end_sent, timer, due, to_epoch))

    def _end_sent(self, timer: asyncio.TimerHandle, due: float, to_epoch: float, outcome: Outcome) -> None:
        timer.cancel()
        self._end(due, to_epoch, outcome)

    def _end(self, due: float, to_epoch: float, outcome: Outcome) -> None:
        self._tally.count_ended(outcome, due + to_epoch, time.monotonic() + to_epoch)
        if not self._sending and not self._tally.in_flight:
            self._quiet.set()

    async def _report(self) -> None:
        """Write an interval every so many seconds, without drifting."""
        start = time.monotonic()
        count = 1
        while True:
            await asyncio.sleep(max(0.0, start + count * self._plan.interval_seconds - time.monotonic()))
            self._tally.write_interval(time.time())
            count += 1
