"""An HTTP proxy in front of a registry that does to chosen requests what a test says, or answers in its place."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 30.0
_DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(slots=True)
class Scene:
    """What happens to the next `times` requests of this method (None: all) whose path contains `path`.

    `passes_on`: the registry gets the request first. Then the client is kept waiting until `release` is set, and
    gets `status` with `headers` and `body`, cut after `cut` bytes, or a byte every `drip_seconds`; with status 0 only
    a closed connection. `happened` is set as soon as a request was met (and passed on). With `until` it is over as
    soon as there was a request of that method.
    """

    method: str
    path: str = ""
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_seconds: float = 0.0
    cut: int | None = None
    passes_on: bool = False
    times: int | None = 1
    until: str = ""
    release: threading.Event | None = None
    happened: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class ScriptedProxy:
    """A proxy at `url`. `scenes` are looked through in order; what none meets is passed on.

    `asked` are method and path of every request, `authorizations` what it said in that header.
    """

    target: str
    url: str = ""
    scenes: list[Scene] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, scene: Scene) -> Scene:
        """Let this happen; return it."""
        self.scenes.append(scene)
        return scene

    def count(self, method: str) -> int:
        """How many requests of this method came."""
        return sum(line.startswith(f"{method} ") for line in self.asked)

    def choose(self, method: str, path: str, authorization: str) -> Scene | None:
        """The scene of this request, which is used up by one."""
        with self.lock:
            self.asked.append(f"{method} {path}")
            self.authorizations.append(authorization)
            for scene in self.scenes:
                if scene.until == method:
                    scene.times = 0
            for scene in self.scenes:
                if scene.method == method and scene.path in path and scene.times != 0:
                    scene.times = None if scene.times is None else scene.times - 1
                    return scene
        return None


@contextmanager
def scripted_proxy(target: str) -> Iterator[ScriptedProxy]:
    """A proxy in front of the registry at `target`, on a free port, until the end of the block."""
    proxy = ScriptedProxy(target.rstrip("/"))

    class Handler(_Handler):
        scripted = proxy

    server = _Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        for scene in proxy.scenes:
            if scene.release is not None:
                scene.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A peer that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    scripted: ScriptedProxy

    def answer(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        scene = self.scripted.choose(self.command, self.path, self.headers.get("authorization", ""))
        if scene is None:
            status, headers, answer = self._pass_on(body)
            self._begin(status, headers, len(answer))
            self.wfile.write(answer)
            return
        if scene.passes_on:
            self._pass_on(body)
        scene.happened.set()
        if scene.release is not None:
            scene.release.wait(_SECONDS)
        if scene.status:
            self._begin(scene.status, scene.headers, len(scene.body))
            if scene.drip_seconds:
                self._drip(scene)
            else:
                self.wfile.write(scene.body[: scene.cut])

    do_GET = answer  # noqa: N815 - the library's name, as the next ones
    do_PUT = answer  # noqa: N815
    do_DELETE = answer  # noqa: N815
    do_POST = answer  # noqa: N815

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.scripted.target)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_SECONDS)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _DROPPED}
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _DROPPED}
            return answer.status, kept, content
        finally:
            connection.close()

    def _begin(self, status: int, headers: Mapping[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(length))
        self.send_header("connection", "close")
        self.end_headers()

    def _drip(self, scene: Scene) -> None:
        for byte in scene.body:
            self.wfile.write(bytes([byte]))
            time.sleep(scene.drip_seconds)

    def log_message(self, *_: object) -> None:
        """What was asked is in `asked`."""
