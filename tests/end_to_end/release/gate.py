"""A proxy in front of a registry or a forge: it counts what is asked, and loses, refuses or keeps what a test says."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SECONDS = 60.0
_DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class Fate(Enum):
    """What becomes of a request."""

    PASSED = auto()
    LOST = auto()
    """It is done, and whoever asked never hears of it."""
    BROKEN = auto()
    """It is answered with status 500, and not done."""
    REFUSED = auto()
    """It is answered with status 403, and not done."""
    SILENT = auto()
    """Nobody answers until the gate closes."""
    HELD = auto()
    """It is done once the test lets it `go_on`."""


Judge = Callable[[str, str], Fate]


def pass_all(_method: str, _path: str) -> Fate:
    """Nothing goes wrong."""
    return Fate.PASSED


@dataclass(slots=True)
class Gate:
    """A proxy at `address` ("host:port") before `target`. `asked` are method and path of every request, in order.

    `reached` is set when a request is held.
    """

    target: str
    address: str = ""
    judge: Judge = pass_all
    asked: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address as a URL without a path."""
        return f"http://{self.address}"

    @property
    def writes(self) -> list[str]:
        """Methods and paths of what may have changed something."""
        return [f"{method} {path}" for method, path in self.asked if method in WRITES]

    def reset(self, judge: Judge = pass_all) -> None:
        """Begin to count anew."""
        with self.lock:
            self.asked.clear()
            self.judge = judge
            self.reached.clear()
            self.go_on.clear()

    def meet(self, method: str, path: str) -> Fate:
        """Note a request, and say what becomes of it."""
        with self.lock:
            self.asked.append((method, path))
            return self.judge(method, path)


def lose_write(number: int, pattern: str = "") -> Judge:
    """Lose the answer of the write with this number, counted from 0 among those whose path the pattern finds."""
    left = [number]

    def judge(method: str, path: str) -> Fate:
        if method not in WRITES or not re.search(pattern, path):
            return Fate.PASSED
        left[0] -= 1
        return Fate.LOST if left[0] == -1 else Fate.PASSED

    return judge


def always(fate: Fate, methods: frozenset[str] = WRITES, pattern: str = "") -> Judge:
    """The same for each request with such a method whose path the pattern finds."""
    return lambda method, path: fate if method in methods and re.search(pattern, path) else Fate.PASSED


@contextmanager
def gate_before(target: str) -> Iterator[Gate]:
    """A gate on a free port of loopback before this "host:port"."""
    gate = Gate(target)

    class Handler(_Handler):
        own = gate

    server = _Server(("127.0.0.1", 0), Handler)
    gate.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        gate.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A peer that was killed is no event."""


class _Handler(BaseHTTPRequestHandler):
    own: Gate
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        body = self._read_body()
        fate = self.own.meet(self.command, self.path)
        if fate is Fate.SILENT:
            self.own.closing.wait(_SECONDS)
        if fate is Fate.HELD:
            self.own.reached.set()
            assert self.own.go_on.wait(_SECONDS), "nobody let it go on"
        if fate is Fate.BROKEN:
            self._send(500, {}, b"it broke")
        elif fate is Fate.REFUSED:
            self._send(403, {"content-type": "application/json"}, b'{"error":"forbidden"}')
        elif fate in {Fate.PASSED, Fate.HELD}:
            self._send(*self._pass_on(body))
        else:
            if fate is Fate.LOST:
                self._pass_on(body)
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)

    do_GET = answer  # noqa: N815 the library's name, as the next ones
    do_HEAD = answer  # noqa: N815
    do_PUT = answer  # noqa: N815
    do_POST = answer  # noqa: N815
    do_PATCH = answer  # noqa: N815
    do_DELETE = answer  # noqa: N815

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return body

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.own.target, timeout=_SECONDS)
        try:
            # With the address that was asked for, so that what leads on leads through here.
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _DROPPED}
            if self.command in WRITES:
                headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in _DROPPED or (self.command == "HEAD" and name.lower() == "content-length")
            }
            return answer.status, kept, content
        finally:
            connection.close()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD" and status not in {204, 304}:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """What was asked is in `asked`."""
