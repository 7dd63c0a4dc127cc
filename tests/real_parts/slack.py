"""A local receiver that answers as Slack's Web API and as incoming webhooks do, and keeps what it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "xoxb-nobody-may-see"  # noqa: S105 - a token for a test
HOOK = "h00k-nobody-may-see"
_LARGEST = 1 << 20


@dataclass(slots=True)
class Slack:
    """What a channel shows: `messages` by their timestamps; and what webhooks were sent.

    `calls` are the methods in their order. `answers` are given once each, before anything is looked at.
    """

    port: int
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    hooked: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.address}/api"

    @property
    def webhook(self) -> str:
        return f"{self.address}/hooks/{HOOK}"

    def read(self, message: str) -> str:
        """A message as people see it; what is bold between asterisks."""
        (block,) = self.messages[message]["blocks"]
        assert block["type"] == "rich_text"
        (section,) = block["elements"]
        assert section["type"] == "rich_text_section"
        return "".join(map(_show, section["elements"]))

    def answer(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        if self.answers:
            return self.answers.pop(0)
        document = json.loads(body)
        if path == f"/hooks/{HOOK}":
            self.hooked.append(document)
            return 200, b"ok"
        method = path.removeprefix("/api/")
        self.calls.append(method)
        return 200, json.dumps(self._do(method, token, document)).encode()

    def _do(self, method: str, token: str, document: dict[str, Any]) -> dict[str, Any]:
        if token != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if document.get("channel") != "C1":
            return {"ok": False, "error": "channel_not_found"}
        if method == "chat.postMessage":
            ts = f"1700000000.{len(self.calls):06}"
        elif method == "chat.update":
            ts = document["ts"]
            if ts not in self.messages:
                return {"ok": False, "error": "message_not_found"}
        else:
            return {"ok": False, "error": "unknown_method"}
        self.messages[ts] = document
        return {"ok": True, "channel": "C1", "ts": ts}


def _show(element: dict[str, Any]) -> str:
    shown = element["text"] if element["type"] == "text" else element["url"]
    assert shown, "Slack refuses an empty text"
    return f"*{shown}*" if element.get("style") == {"bold": True} else str(shown)


@contextmanager
def receiving() -> Iterator[Slack]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers["Content-Length"]), _LARGEST))
            status, answer = slack.answer(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name is http.server's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        slack = Slack(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield slack
        finally:
            server.shutdown()
            thread.join()
