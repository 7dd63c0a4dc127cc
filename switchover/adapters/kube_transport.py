"""Calls of the API server, bounded in time, repeated where that can do no harm."""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
from kubernetes_asyncio.client import ApiClient, Configuration
from yarl import URL

from switchover.adapters.kube_credentials import Credentials
from switchover.adapters.kube_errors import Answer, Call, is_denied, is_malformed, unreachable
from switchover.adapters.kube_loop import run_coroutine

_BEFORE_A_REPEAT = (0.1, 0.3, 0.8)
_LONGEST_WISH_SECONDS = 2.0
_SLACK_SECONDS = 2.0
_MOST_PROXIED_BYTES = 1_000_000
_CHUNK_BYTES = 65536
_UNAUTHORIZED = 401
_TOO_MANY = 429
_SERVER_ERROR = 500
# An API server that has just started answers before it has read who may do what, and denies everything till then.
_STARTING_SECONDS = 4.0
_STARTING_PAUSE_SECONDS = 0.3


class KubeTransport:
    """Sends calls from any thread. `pauses` are the seconds before each repetition."""

    def __init__(
        self, credentials: Credentials, timeout_seconds: float, pauses: Sequence[float] = _BEFORE_A_REPEAT
    ) -> None:
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._pauses = pauses
        self._lock = threading.Lock()
        self._lost_at = -math.inf
        self._clients: list[ApiClient] = []
        self._closing = weakref.finalize(self, _close_all, self._clients)

    def send(self, call: Call) -> Answer:
        """The answer, whatever its status; `TargetError` when there is none, `InputError` without credentials."""
        client = self._client()
        answer = self._send_repeatedly(client, call)
        if answer.status == _UNAUTHORIZED and not _is_of_the_service(call, answer):
            answer = self._send_repeatedly(self._client(instead_of=client), call)
        return answer

    def close(self) -> None:
        """Close the connections. What is sent later opens new ones."""
        with self._lock:
            _close_all(self._clients)

    def _client(self, instead_of: ApiClient | None = None) -> ApiClient:
        """The client of the newest credentials; read again when the newest are those of `instead_of`."""
        with self._lock:
            if not self._clients or self._clients[-1] is instead_of:
                configuration = self._credentials()
                # The one before may still be in use by another thread; the one before that is not any more.
                _close_all(self._clients, but_newest=1)
                self._clients.append(run_coroutine(_open(configuration), self._timeout_seconds))
            return self._clients[-1]

    def _send_repeatedly(self, client: ApiClient, call: Call) -> Answer:
        seconds = call.timeout_seconds or self._timeout_seconds
        pauses = list(self._pauses)
        while True:
            try:
                answer = run_coroutine(_send(client, call, seconds), seconds + _SLACK_SECONDS)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._lost_at = time.monotonic()
                if not pauses or not _may_repeat(call, error):
                    raise unreachable(call, _why(error, seconds)) from None
                pause = pauses.pop(0)
            else:
                if is_denied(answer) and time.monotonic() < self._lost_at + _STARTING_SECONDS:
                    pause = _STARTING_PAUSE_SECONDS
                elif pauses and _is_passing(call, answer):
                    pause = max(pauses.pop(0), _read_wish(answer))
                else:
                    return answer
            time.sleep(pause)


async def _open(configuration: Configuration) -> ApiClient:
    return ApiClient(configuration)


async def _send(client: ApiClient, call: Call, seconds: float) -> Answer:
    """One request over the client library's own connections, which know the cluster's trust and proxy."""
    headers = {"Accept": "*/*" if call.subresource else "application/json", "User-Agent": "switchover"}
    if call.body is not None and call.content_type is not None:
        headers["Content-Type"] = call.content_type
    await client.update_params_for_auth(headers, [], ["BearerToken"])
    rest = client.rest_client
    address = URL(str(client.configuration.host).rstrip("/") + call.path, encoded=True)
    began = time.monotonic()
    async with rest.pool_manager.request(
        call.method,
        address.update_query(list(call.query)) if call.query else address,
        headers=headers,
        data=call.body,
        proxy=rest.proxy,
        proxy_headers=rest.proxy_headers,
        server_hostname=rest.server_hostname,
        allow_redirects=False,
        skip_auto_headers=("Content-Type",),
        timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 5.0)),
    ) as response:
        body = await _read_beginning(response) if call.proxied else await response.read()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, body, names, time.monotonic() - began)


async def _read_beginning(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) >= _MOST_PROXIED_BYTES:
            break
    return bytes(body)


def _may_repeat(call: Call, error: Exception) -> bool:
    """Whether the request cannot have had an effect, or has none; a certificate does not get better by itself."""
    if isinstance(error, aiohttp.ClientSSLError):
        return False
    return call.safe or isinstance(error, aiohttp.ClientConnectorError)


def _is_passing(call: Call, answer: Answer) -> bool:
    if call.proxied or is_malformed(answer):
        return False
    return answer.status == _TOO_MANY or (call.safe and answer.status >= _SERVER_ERROR)


def _is_of_the_service(call: Call, answer: Answer) -> bool:
    return call.proxied and not answer.status_object()


def _read_wish(answer: Answer) -> float:
    """How many seconds the API server wants us to wait."""
    wish = answer.headers.get("retry-after", "")
    return min(float(wish), _LONGEST_WISH_SECONDS) if wish.isdecimal() else 0.0


def _why(error: Exception, seconds: float) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer within {seconds:g} s"
    return str(error) or repr(error)


def _close_all(clients: list[ApiClient], but_newest: int = 0) -> None:
    while len(clients) > but_newest:
        with suppress(TimeoutError, RuntimeError, OSError):
            run_coroutine(clients.pop(0).close(), _SLACK_SECONDS)
