"""A small stateful stand-in for GitHub's API and its uploads host, over HTTP on this machine."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.real_parts.github_repository import Answer, HostedRepository, refusal

TOKEN = "ghs_a-token-that-nobody-may-see"  # noqa: S105 it opens nothing but this stand-in
REPLAY = "X-Replay"
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)(/.*)?")
_UPLOAD = re.compile(r"/releases/([0-9]+)/assets")
# As an enterprise server does, which knows newer ones only years later.
_VERSION = "2022-11-28"
_PIECE = 64 * 1024
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens instead of an answer, once, to a request with this method and a path with this in it."""

    method: str
    path: str
    act: Callable[[Handler], None]


class StandIn(ThreadingHTTPServer):
    """`after_upload` is called with the path, the query and the answer of each upload before that is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.repositories: dict[str, HostedRepository] = {}
        self.faults: dict[str, deque[Fault]] = {}
        self.replays: dict[str, Answer] = {}
        self.after_upload: Callable[[HostedRepository, str, Answer], None] = lambda *_: None
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def add(self, name: str) -> HostedRepository:
        self.repositories[name] = HostedRepository(name, self.address)
        self.faults[name] = deque()
        return self.repositories[name]

    def fail_next(self, name: str, method: str, path: str, act: Callable[[Handler], None]) -> None:
        self.faults[name].append(Fault(method, path, act))

    def handle_error(self, *_: Any) -> None:
        """A peer that hangs up is no event."""


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        matched = _REPOSITORY.fullmatch(parts.path)
        repository = self.server.repositories.get(matched[1]) if matched else None
        if self.headers.get(REPLAY):
            self.send(self.server.replays.pop(self.headers[REPLAY]))
        elif self.headers.get("Authorization") != f"token {TOKEN}":
            self.send(refusal(401, "Bad credentials"))
        elif self.headers.get("X-GitHub-Api-Version", _VERSION) != _VERSION:
            self.send(refusal(400, "The API version is not supported by this server"))
        elif repository is None or matched is None:
            self.send(refusal(404, "Not Found"))
        else:
            self.serve(repository, matched[2] or "", dict(parse_qsl(parts.query)))

    def serve(self, repository: HostedRepository, path: str, query: Mapping[str, str]) -> None:
        faults, upload = self.server.faults[repository.name], _UPLOAD.fullmatch(path)
        if faults and faults[0].method == self.command and faults[0].path in path:
            faults.popleft().act(self)
        elif self.command == "POST" and upload:
            self.take_upload(repository, int(upload[1]), query)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send(repository.answer(self.command, path, query, json.loads(body) if body else {}))

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def take_upload(self, repository: HostedRepository, release: int, query: Mapping[str, str]) -> None:
        length, content = int(self.headers["Content-Length"]), b""
        media_type = self.headers["Content-Type"]
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", media_type), media_type
        while len(content) < length and (piece := self.rfile.read(min(_PIECE, length - len(content)))):
            content += piece
        whole = len(content) == length
        answer = repository.add_asset(release, query["name"], media_type, content, whole=whole)
        if whole:
            self.server.after_upload(repository, self.path, answer)
            self.send(answer)

    def send(self, answer: Answer) -> None:
        payload = b"" if answer.value is None else json.dumps(answer.value).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if payload:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Only what a test asks for is logged."""


def saying(status: int, message: str, **headers: str) -> Callable[[Handler], None]:
    """Refuse; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def act(handler: Handler) -> None:
        answer = refusal(status, message)
        handler.send(Answer(answer.status, answer.value, named))

    return act


def sending(payload: bytes) -> Callable[[Handler], None]:
    """Send these bytes and hang up."""
    return lambda handler: _send_raw(handler, payload)


def hang(handler: Handler) -> None:
    """Say nothing until the peer hangs up."""
    handler.connection.settimeout(_SECONDS)
    while handler.connection.recv(_PIECE):
        pass


def drip(handler: Handler) -> None:
    """An answer that has no end."""
    _send_raw(handler, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    until = threading.Event()
    for _ in range(20 * _SECONDS):
        handler.wfile.write(b" ")
        until.wait(0.05)


def cut_upload(handler: Handler) -> None:
    """Hang up when half of an upload has come."""
    release, query = _read_upload(handler)
    handler.rfile.read(int(handler.headers["Content-Length"]) // 2)
    _repository(handler).add_asset(release, query["name"], handler.headers["Content-Type"], b"", whole=False)


def stall_upload(handler: Handler) -> None:
    """Take a first piece and say so, then wait for the test, then take the rest."""
    release, query = _read_upload(handler)
    handler.rfile.read(_PIECE)
    handler.server.stalled.set()
    assert handler.server.go_on.wait(_SECONDS)
    try:
        rest = handler.rfile.read(int(handler.headers["Content-Length"]) - _PIECE)
    except ConnectionError:
        rest = b""
    whole = len(rest) == int(handler.headers["Content-Length"]) - _PIECE
    assert not whole, "the uploader should have been killed"
    _repository(handler).add_asset(release, query["name"], handler.headers["Content-Type"], b"", whole=False)


def _send_raw(handler: Handler, payload: bytes) -> None:
    handler.wfile.write(payload)
    handler.wfile.flush()


def _read_upload(handler: Handler) -> tuple[int, dict[str, str]]:
    parts = urlsplit(handler.path)
    matched = re.search(_UPLOAD, parts.path)
    assert matched is not None
    return int(matched[1]), dict(parse_qsl(parts.query))


def _repository(handler: Handler) -> HostedRepository:
    matched = _REPOSITORY.fullmatch(urlsplit(handler.path).path)
    assert matched is not None
    return handler.server.repositories[matched[1]]
