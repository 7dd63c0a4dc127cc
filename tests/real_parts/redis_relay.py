"""A relay between a client and a Redis server that loses an answer: the command arrives, the connection breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class RedisRelay:
    """Passes everything on. While `loses` is set, an answer to something that has it inside is not."""

    path: Path
    server: str
    loses: bytes = b""
    lost: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_UNIX), init=False)

    def run(self) -> None:
        """Until it is closed."""
        self._listener.bind(str(self.path))
        self._listener.listen()
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        """No new connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        """A client asks, then it waits: one direction after the other is enough."""
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self.server)
            while asked := client.recv(1 << 20):
                server.sendall(asked)
                answer = server.recv(1 << 20)
                if self.loses and self.loses in asked and not answer.startswith(b"-NOSCRIPT"):
                    self.lost += 1
                    return
                client.sendall(answer)


@contextlib.contextmanager
def redis_relay(server: str, folder: Path) -> Iterator[RedisRelay]:
    """One in front of the server with that socket, with a socket of its own in the folder."""
    relay = RedisRelay(folder / "relay", server)
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    while not relay.path.exists():
        thread.join(0.01)
    try:
        yield relay
    finally:
        relay.close()
        thread.join(10)
