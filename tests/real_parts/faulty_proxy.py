"""A proxy before an HTTP server of one request per connection, that breaks off the requests it is told to."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

_SECONDS = 30.0
_PIECE_BYTES = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Fault(Enum):
    """What happens to a request."""

    NONE = auto()
    BEFORE = auto()
    """Cut before the server sees it."""
    WITHIN = auto()
    """Cut in the middle of its body."""
    AFTER = auto()
    """The server has done it, and the answer is lost."""
    HANG = auto()
    """Nobody answers."""
    ERROR = auto()
    """Answered with status 500, and the server does not see it."""


@dataclass(slots=True)
class FaultyProxy:
    """`choose` says what happens to a request, by its number from 0 and its first line. `seen` are the first lines."""

    upstream: str
    address: str = ""
    choose: Callable[[int, str], Fault] = lambda _number, _line: Fault.NONE
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def reset(self, choose: Callable[[int, str], Fault]) -> None:
        """Begin to count anew."""
        with self.lock:
            self.seen.clear()
            self.choose = choose

    def handle(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(_SECONDS)
            head, rest = _read_head(client)
            line = head.partition(b"\r\n")[0].decode()
            with self.lock:
                fault = self.choose(len(self.seen), line)
                self.seen.append(line)
            if fault is Fault.HANG:
                self.closing.wait(_SECONDS)
            elif fault is Fault.ERROR:
                _take_body(client, head, rest)
                client.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            elif fault is Fault.BEFORE:
                _reset(client)
            else:
                self.pass_on(client, head, rest, fault)

    def pass_on(self, client: socket.socket, head: bytes, rest: bytes, fault: Fault) -> None:
        host, _, port = self.upstream.rpartition(":")
        with socket.create_connection((host, int(port)), _SECONDS) as server:
            server.sendall(head)
            length = _length(head)
            left = length // 2 if fault is Fault.WITHIN else length
            piece = rest
            while left:
                server.sendall(piece[:left])
                left -= len(piece[:left])
                piece = client.recv(min(left, _PIECE_BYTES)) if left else b""
                if left and not piece:
                    return
            if fault is Fault.WITHIN:
                _reset(client)
                return
            while answer := server.recv(_PIECE_BYTES):
                if fault is Fault.NONE:
                    client.sendall(answer)
            if fault is Fault.AFTER:
                _reset(client)


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy on a free port of loopback before this "host:port"."""
    proxy = FaultyProxy(upstream)
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy.address = "{}:{}".format(*listening.getsockname())

        def serve() -> None:
            while not proxy.closing.is_set():
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=proxy.handle, args=(client,), daemon=True))
                threads[-1].start()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield proxy
        finally:
            proxy.closing.set()
            listening.shutdown(socket.SHUT_RDWR)
            for thread in (server, *threads):
                thread.join(_SECONDS)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    held = b""
    while b"\r\n\r\n" not in held:
        piece = client.recv(_PIECE_BYTES)
        if not piece:
            raise ConnectionResetError
        held += piece
    head, _, rest = held.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def _take_body(client: socket.socket, head: bytes, rest: bytes) -> None:
    left = _length(head) - len(rest)
    while left > 0 and (piece := client.recv(_PIECE_BYTES)):
        left -= len(piece)


def _reset(client: socket.socket) -> None:
    """End the connection as a crash does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
