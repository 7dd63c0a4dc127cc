"""Answers requests until it is told to stop, and then finishes what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus

from acme_web.messages import RefusedRequestError, Request, Response, encode_response, plain, read_request
from acme_web.routes import Routes

# Longer than the idle time of the routers in front, so that it is never us who close a connection under a request.
IDLE_SECONDS = 75.0
# A connection may carry a request that was sent before its client could know that we stop.
LINGER_SECONDS = 0.5
REQUESTS_PER_LOG_LINE = 100

log = logging.getLogger(__name__)


class Server:
    """Serves `routes` over keep-alive connections."""

    def __init__(self, routes: Routes, app_version: str) -> None:
        self._routes = routes
        self._app_version = app_version
        self._stopping = False
        self._answered = 0
        self._idle: set[asyncio.StreamWriter] = set()
        self._conversations: set[asyncio.Task[None]] = set()

    async def run(self, host: str, port: int, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then accept nothing more and return when all requests are answered."""
        listener = await asyncio.start_server(self._accept, host, port, backlog=1024)
        log.info("version %s listens on %s:%d", self._app_version, *listener.sockets[0].getsockname()[:2])
        await stop.wait()
        self._stopping = True
        listener.close()
        log.info("stopping, %d connections open", len(self._conversations))
        if self._conversations:
            await asyncio.wait(self._conversations, timeout=LINGER_SECONDS)
        for writer in self._idle:
            writer.close()
        if self._conversations:
            await asyncio.wait(self._conversations)
        log.info("stopped after %d requests", self._answered)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await self._exchange(reader, writer):
                pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; False when it was the connection's last."""
        self._idle.add(writer)
        try:
            request = await read_request(reader, IDLE_SECONDS)
        except RefusedRequestError as refusal:
            self._send(writer, plain(f"{refusal}\n", refusal.status), keep_alive=False)
            return False
        finally:
            self._idle.discard(writer)
        if request is None:
            return False
        response = await self._answer(request)
        keep_alive = request.keep_alive and not self._stopping
        self._send(writer, response, keep_alive=keep_alive, with_body=request.method != "HEAD")
        await writer.drain()
        return keep_alive

    def _send(
        self, writer: asyncio.StreamWriter, response: Response, *, keep_alive: bool, with_body: bool = True
    ) -> None:
        writer.write(
            encode_response(response, app_version=self._app_version, keep_alive=keep_alive, with_body=with_body)
        )
        self._answered += 1
        if self._answered % REQUESTS_PER_LOG_LINE == 0:
            log.info("%d requests answered", self._answered)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._routes.answer(request)
        except RefusedRequestError as refusal:
            return plain(f"{refusal}\n", refusal.status)
        except Exception as error:  # noqa: BLE001 - one failing request must not end the service
            # One line for each: whoever watches the log counts lines.
            log.error("%s %s failed: %r", request.method, request.path, error)  # noqa: TRY400
            return plain("Something went wrong on our side.\n", HTTPStatus.INTERNAL_SERVER_ERROR)
