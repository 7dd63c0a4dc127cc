"""The demonstration's own Prefect server: own home, free port, nothing of the user's."""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from switchover.adapters.prefect_api import PrefectApi
from switchover.adapters.processes import choose_free_port
from switchover.demo.children import Child, Crew

_HOST = "127.0.0.1"
_DATABASE = "prefect.db"
_EMPTY = "empty.db"
# A new database on a busy machine of two cores.
_START_SECONDS = 240.0
_POLL_SECONDS = 0.25
_ASK_SECONDS = 10.0
_LOOK_BACK_RUNS = 20


def isolate(environ: Mapping[str, str], home: Path, port: int) -> dict[str, str]:
    """The environment without anything that says 'Prefect', and with this server in it."""
    clean = {name: value for name, value in environ.items() if not name.startswith("PREFECT_")}
    return clean | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://{_HOST}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_CLI_COLORS": "false",
    }


def choose_port() -> int:
    """A free port for the server."""
    return choose_free_port(_HOST)


@dataclass(slots=True)
class PrefectServer:
    """One server process; `start` and `stop` may follow each other."""

    crew: Crew
    home: Path
    port: int
    child: Child | None = None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{_HOST}:{self.port}"

    def begin_afresh(self) -> None:
        """Put the empty database that was remembered in the place of the last run's."""
        empty = self.home / _EMPTY
        if empty.exists():
            for name in (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm"):
                (self.home / name).unlink(missing_ok=True)
            shutil.copyfile(empty, self.home / _DATABASE)

    def remember_empty(self) -> None:
        """Keep a copy of the database as it is now, unless there is one: making it takes half a minute."""
        if (self.home / _EMPTY).exists():
            return
        beside = self.home / f"{_EMPTY}.new"
        with closing(sqlite3.connect(self.home / _DATABASE)) as source, closing(sqlite3.connect(beside)) as copy:
            source.backup(copy)
        beside.replace(self.home / _EMPTY)

    def start(self) -> None:
        """Begin to start it. Does not wait."""
        command = (sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(self.port))
        self.child = self.crew.start("prefect-server", command)

    def wait_ready(self) -> None:
        """Return when it answers; raise `TargetError` when it does not come."""
        api = PrefectApi(f"{self.address}/api")
        ends = time.monotonic() + _START_SECONDS
        while api.find_trouble(1.0):
            if self.child is None or not self.child.running or time.monotonic() > ends:
                raise _required(self.child).trouble(f"a server at {self.address} within {_START_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it. Repeating is a no-op."""
        if self.child is not None:
            self.child.end()

    def has_rollback_of(self, flow_run_id: str) -> bool:
        """Whether a run of the flow `rollback` was started for this failed run and completed."""
        document = {
            "flows": {"name": {"any_": ["rollback"]}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": _LOOK_BACK_RUNS,
        }
        return any(
            run["parameters"].get("failed_run") == flow_run_id and run["state_type"] == "COMPLETED"
            for run in self._post("/api/flow_runs/filter", document)
        )

    def _post(self, path: str, document: object) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=_ASK_SECONDS)
        try:
            connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _required(self.child).trouble(f"an answer to {path} ({error})") from error
        finally:
            connection.close()


def _required(child: Child | None) -> Child:
    if child is None:
        msg = "the server was never started"
        raise ValueError(msg)
    return child
