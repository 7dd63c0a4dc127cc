"""The service under test keeps what the suite builds on: exact shares, and no request lost while it stops."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cluster.control_plane import answers
from tests.cluster.go_programs import built, why_not
from tests.cluster.processes import Child, await_ready, start

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"the service is built with Go: {why_not()}")

_PATIENCE = 30.0


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


@contextmanager
def _serving(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Child]]:
    port = _free_port()
    child = start("app", [built("app")], logs=folder, environment={**os.environ, **environment, "PORT": str(port)})
    url = f"http://127.0.0.1:{port}"
    try:
        await_ready(child, lambda: answers(f"{url}/healthz"), within=_PATIENCE)
        yield url, child
    finally:
        child.kill()


def _in_flight(url: str) -> int:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("http_requests_in_flight"))


def test_the_share_of_errors_is_exactly_what_was_asked(tmp_path: Path) -> None:
    with _serving(tmp_path, {"ERROR_RATE": "0.3"}) as (url, _), httpx.Client(base_url=url) as client:
        assert Counter(client.get("/").status_code for _ in range(100)) == {200: 70, 500: 30}
        assert 'code="500"} 30' in client.get("/metrics").text


def test_a_replica_told_to_stop_answers_what_it_has_and_what_still_comes(tmp_path: Path) -> None:
    with _serving(tmp_path, {"SHUTDOWN_DELAY_MS": "1000"}) as (url, child):
        long_request: list[int] = []
        asked = threading.Thread(target=lambda: long_request.append(httpx.get(f"{url}/sleep?ms=1500").status_code))
        asked.start()
        await_ready(child, lambda: _in_flight(url) == 1, within=_PATIENCE)
        child.process.terminate()
        await_ready(child, lambda: not answers(f"{url}/readyz"), within=_PATIENCE, what="unready")
        late = httpx.get(url)
        asked.join()
        assert child.process.wait(_PATIENCE) == 0
    assert (late.status_code, late.headers["Connection"]) == (200, "close")
    assert long_request == [200]


def test_what_is_mounted_is_shown_and_of_secrets_only_the_digest(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("config", "secret")}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / "key").write_text(f"the {name}")
    environment = {f"{name.upper()}_FOLDER": str(folder) for name, folder in folders.items()}
    with _serving(tmp_path, environment) as (url, _):
        shown = httpx.get(f"{url}/config").json()
    assert shown["config"] == {"key": "the config"}
    assert shown["secret"] == {"key": hashlib.sha256(b"the secret").hexdigest()}


def test_wrong_environment_is_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "ERROR_RATE": "3"}
    result = subprocess.run([built("app")], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ERROR_RATE" in result.stdout


@pytest.mark.parametrize(("fails", "status", "recorded"), [("", 0, ["1.2.3 [up 0007]"]), ("1", 1, [])])
def test_a_migration_is_recorded_only_when_it_went_well(
    tmp_path: Path, fails: str, status: int, recorded: list[str]
) -> None:
    record = tmp_path / "record"
    environment = {"VERSION": "1.2.3", "MIGRATION_FAILS": fails, "MIGRATION_RECORD": str(record)}
    command = [str(built("app")), "migrate", "up", "0007"]
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    assert result.returncode == status
    assert (record.read_text().splitlines() if record.exists() else []) == recorded
