"""A small HTTP service for tests: it does what the path says. Standard library only."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Asked = Mapping[str, str]
_HOARD: list[bytearray] = []


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def slow(asked: Asked) -> tuple[int, str]:
    time.sleep(float(asked["seconds"]))
    return 200, "slow"


def log(asked: Asked) -> tuple[int, str]:
    say(asked["line"])
    return 200, "logged"


def grow(asked: Asked) -> tuple[int, str]:
    _HOARD.append(bytearray(os.urandom(1024)) * (1024 * int(asked["mb"])))
    return 200, "grown"


ANSWERS: dict[str, Callable[[Asked], tuple[int, str]]] = {
    "/": lambda _: (200, f"{os.environ['SWITCHOVER_COLOUR']} {os.environ['SWITCHOVER_VERSION']}"),
    "/health": lambda _: (503, "sick") if os.environ.get("SICK") else (200, "well"),
    "/fail": lambda _: (500, "failed"),
    "/environment": lambda _: (200, json.dumps(dict(os.environ))),
    "/slow": slow,
    "/log": log,
    "/grow": grow,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/headers":
            return self.answer(200, json.dumps({name.lower(): value for name, value in self.headers.items()}))
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = ANSWERS.get(parts.path)
        status, body = found(asked) if found else (404, "no such path")
        return self.answer(status, body)

    def answer(self, status: int, body: str) -> None:
        payload = body.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Only what a test asks for is logged."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A peer that hangs up is no event."""


def main() -> None:
    if os.environ.get("CRASH_AT_START"):
        say("ERROR cannot start")
        sys.exit(int(os.environ["CRASH_AT_START"]))
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    say("listening")
    server.serve_forever(poll_interval=0.05)
    # Idle keep-alive connections would keep their threads; nothing is in flight any more.
    os._exit(0)


main()
