"""A Prefect server of our own for a test session: started once, shared by all workers, ended by the last."""

from __future__ import annotations

import fcntl
import http
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_START_SECONDS = 150
_STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A running server. `home` is its PREFECT_HOME and that of whoever works with it."""

    url: str
    home: Path
    pid: int

    def environ(self) -> dict[str, str]:
        """The environment of a process that works with this server and with no other."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTEST_"))}
        return own | {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One call of the API; the answer's JSON, None for an empty one. Any status but 2xx is an error."""
        status, text = self._call(method, path, body)
        while status == http.HTTPStatus.SERVICE_UNAVAILABLE:  # SQLite under load
            time.sleep(0.5)
            status, text = self._call(method, path, body)
        assert status // 100 == 2, f"{method} {path}: {status} {text[:500]}"
        return json.loads(text) if text else None

    def _call(self, method: str, path: str, body: object) -> tuple[int, str]:
        parts = urlsplit(self.url)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, parts.path + path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.ask("GET", "/health"))
        except (OSError, AssertionError, http.client.HTTPException):
            return False


def start_server(home: Path) -> PrefectServer:
    """Start a server on a free port and wait until it answers."""
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environ = PrefectServer(url, home, 0).environ()
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = PrefectServer(url, home, process.pid)
    deadline = time.monotonic() + _START_SECONDS
    while not server.is_up():
        assert process.poll() is None, (home / "server.log").read_text()
        assert time.monotonic() < deadline, "the Prefect server did not answer in time"
        time.sleep(0.3)
    return server


def stop_server(server: PrefectServer) -> None:
    """End a server that `start_server` started, whichever process did it."""
    try:
        os.killpg(server.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while server.is_up() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@contextmanager
def shared_server(folder: Path) -> Iterator[PrefectServer]:
    """The one server of everybody who names the same folder; the last one out ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    with _noted(folder) as note:
        if not note.get("users"):
            started = start_server(folder / "home")
            note |= {"url": started.url, "pid": started.pid, "users": 0}
        note["users"] += 1
        server = PrefectServer(note["url"], folder / "home", note["pid"])
    try:
        yield server
    finally:
        with _noted(folder) as note:
            note["users"] -= 1
            if not note["users"]:
                stop_server(server)


@contextmanager
def _noted(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = folder / "server.json"
        note: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        yield note
        file.write_text(json.dumps(note))
