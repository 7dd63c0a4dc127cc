"""One keep-alive connection of the load generator: sends a request, hears the answer, says how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

COLOUR_HEADER = "x-switchover-colour"
VERSION_HEADER = "x-app-version"
STATUS_DIGITS = slice(9, 12)
FIRST_SERVER_ERROR = 500
UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended. `failure` is empty for a good one, else `status 503`, `timeout` and the like.

    `colour` and `version` are what the answer said of itself, empty where it said nothing.
    """

    failure: str
    colour: str = UNKNOWN
    version: str = UNKNOWN


class Connection(asyncio.Protocol):
    """Carries one request at a time; `idle` is called when the connection can carry the next one.

    Understands answers with a content length, which is what the services and Envoy send.
    """

    def __init__(self, idle: Callable[[Connection], None]) -> None:
        self._idle = idle
        self._transport: asyncio.Transport | None = None
        self._done: Callable[[Outcome], None] | None = None
        self._received = bytearray()
        self._head: dict[str, str] | None = None
        self._status = 0
        self._length = 0

    @property
    def usable(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, done: Callable[[Outcome], None]) -> None:
        """Send a request; `done` is called once with how it ended."""
        self._done = done
        if self._transport is None or self._transport.is_closing():
            self._finish(Outcome("connection closed"))
            return
        self._transport.write(request)

    def give_up(self, failure: str) -> None:
        """End the request in flight as failed, and the connection with it."""
        if self._transport is not None:
            self._transport.abort()
        self._finish(Outcome(failure))

    def close(self) -> None:
        """Close an idle connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request in flight, if there is one."""
        self._transport = None
        self._finish(Outcome(f"connection lost: {exc}" if exc else "connection closed"))

    def data_received(self, data: bytes) -> None:
        """Collect the answer; finish the request when it is whole."""
        if self._done is None:
            # An answer to nothing: what follows on this connection could not be told apart.
            self.give_up("unreadable answer")
            return
        self._received += data
        if self._head is None and not self._read_head():
            return
        if self._head is not None and len(self._received) >= self._length:
            self._finish_answer(self._head)

    def _read_head(self) -> bool:
        """Read status and headers; False while they are not whole."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        status_line, *lines = self._received[:end].decode("latin-1").split("\r\n")
        del self._received[: end + 4]
        head = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, length = status_line[STATUS_DIGITS], head.get("content-length", "")
        if not (status.isdigit() and length.isdigit()):
            self.give_up("unreadable answer")
            return False
        self._head, self._status, self._length = head, int(status), int(length)
        return True

    def _finish_answer(self, head: dict[str, str]) -> None:
        failure = f"status {self._status}" if self._status >= FIRST_SERVER_ERROR else ""
        self._head = None
        del self._received[: self._length]
        if head.get("connection", "").lower() == "close" and self._transport is not None:
            self._transport.close()
        outcome = Outcome(failure, head.get(COLOUR_HEADER, UNKNOWN), head.get(VERSION_HEADER, UNKNOWN))
        self._finish(outcome)
        if self.usable:
            self._idle(self)

    def _finish(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)
