"""How a test that runs inside the cluster has one of its parts restarted, stopped or killed."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from switchover.errors import SwitchoverError, TargetError

Action = Callable[[str], None]


def serve(path: Path, actions: Mapping[str, Action]) -> None:
    """Answer on this socket for as long as the process lives: one line of `[action, part]` a connection."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            action, part = json.loads(self.rfile.readline())
            try:
                actions[action](part)
            except (SwitchoverError, KeyError) as error:
                self.wfile.write(json.dumps(str(error)).encode())
            else:
                self.wfile.write(b"null")

    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def ask(path: Path, action: str, part: str) -> None:
    """Have this done and wait until it is: `start` and `restart` end when the part is ready again.

    Actions: start, stop, kill, restart. Raises `TargetError` with what the cluster says when it cannot.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps([action, part]).encode() + b"\n")
        with connection.makefile("rb") as answer:
            problem = json.loads(answer.read())
    if problem is not None:
        raise TargetError(
            f"{action} of {part} failed",
            expected="the cluster to do it",
            found=problem,
            next_step="read the log of that part",
        )
