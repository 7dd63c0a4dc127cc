"""Requests and answers of HTTP/1.1, and how they are read and written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

LARGEST_BODY_BYTES = 65_536
BODY_SECONDS = 10.0
REQUEST_LINE_PARTS = 3


class RefusedRequestError(Exception):
    """A request that is not worth reading further; it is answered with `status` and the connection ends."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower case; of a repeated header or query name the last one counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    keep_alive: bool
    body: bytes = b""

    def json(self) -> Any:
        """The body's value; `RefusedRequestError` (400) when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RefusedRequestError(HTTPStatus.BAD_REQUEST) from error


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with plain text."""
    return Response(text.encode(), status)


def html(page: str) -> Response:
    """Answer with a page."""
    return Response(page.encode(), content_type="text/html; charset=utf-8")


def as_json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(value).encode() + b"\n", status, "application/json")


async def read_request(reader: asyncio.StreamReader, idle_seconds: float) -> Request | None:
    """The connection's next request; None when the peer is gone or was silent for `idle_seconds`."""
    try:
        async with asyncio.timeout(idle_seconds):
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise RefusedRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    request_line, *header_lines = head[:-4].decode("latin-1").split("\r\n")
    headers = dict(map(_parse_header, header_lines))
    parts = request_line.split(" ")
    if len(parts) != REQUEST_LINE_PARTS or not parts[2].startswith("HTTP/1."):
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST)
    method, target, protocol = parts
    path, _, query = target.partition("?")
    return Request(
        method,
        unquote(path),
        dict(parse_qsl(query)) if query else {},
        headers,
        _keeps_alive(protocol, headers.get("connection", "")),
        await _read_body(reader, headers),
    )


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST)
    return name.lower(), value.strip()


def _keeps_alive(protocol: str, connection: str) -> bool:
    options = {option.strip().lower() for option in connection.split(",")}
    return "keep-alive" in options if protocol == "HTTP/1.0" else "close" not in options


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise RefusedRequestError(HTTPStatus.LENGTH_REQUIRED)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST)
    if int(length) > LARGEST_BODY_BYTES:
        raise RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reader.readexactly(int(length))
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        raise RefusedRequestError(HTTPStatus.REQUEST_TIMEOUT) from error


def encode_response(response: Response, *, app_version: str, keep_alive: bool, with_body: bool) -> bytes:
    """The answer as it goes over the wire. An answer to HEAD is `with_body` false."""
    more = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    head = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        f"content-type: {response.content_type}\r\n"
        f"content-length: {len(response.body)}\r\n"
        f"x-app-version: {app_version}\r\n"
        f"{more}connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + (response.body if with_body else b"")
