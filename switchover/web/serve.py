"""Runs the OFREP service until it is told to end."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Never

import uvicorn

from switchover.errors import TargetError
from switchover.flags.client import Client
from switchover.web.ofrep import ofrep_app

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8016

# What one process takes at once; the rest is told 503 instead of waiting in memory.
_MOST_CONNECTIONS: Final = 1000
_IDLE_SECONDS: Final = 30
_LAST_REQUESTS_SECONDS: Final = 5


def serve(
    client: Client,
    *,
    host: str = LOOPBACK,
    port: int = PORT,
    tokens: Sequence[str],
    origins: Sequence[str] = (),
    announce: Callable[[str], object] | None = None,
) -> None:
    """Answer OFREP requests at `host` and `port` (0: a free one) until SIGTERM or SIGINT; the client stays open.

    Without `tokens` everybody who reaches the port may ask: the caller has made sure that this is meant. `announce`
    is told the address as soon as requests are accepted. Raises `TargetError` when the port cannot be had,
    `InputError` for a token that is too short.
    """
    app = ofrep_app(client, tokens, origins=origins)
    config = uvicorn.Config(
        app,
        access_log=False,
        lifespan="off",
        limit_concurrency=_MOST_CONNECTIONS,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
        ws="none",
    )
    with listen(host, port) as listening:
        if announce is not None:
            found = listening.getsockname()
            announce(f"http://{f'[{found[0]}]' if ':' in found[0] else found[0]}:{found[1]}")
        with _ended_by_signals():
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGINT end the block and not the process, so that the caller can close what it opened.

    uvicorn finishes its requests and then raises the signal again, for whoever handled it before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _EndedError:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _EndedError(Exception):
    """Told to end. Reaction: end."""


def _end(number: int, _: object) -> Never:
    raise _EndedError(signal.Signals(number).name)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `TargetError` when the port cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise TargetError(
            "the flags cannot be served",
            expected=f"a free port {port} at {host}",
            found=getattr(error, "strerror", None) or str(error),
            next_step="choose another with --port, or end what listens there",
        ) from error
    # Inherited by the connections, on which asyncio does not set it for a socket that it did not make: an answer's
    # body would wait 40 ms for the acknowledgement of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
