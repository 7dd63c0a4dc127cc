"""A real Prometheus for tests, what it scrapes, and a stand-in that answers by a function."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from switchover.adapters.envoy_program import find_envoy
from switchover.adapters.unix_http import UnixHTTPConnection
from switchover.adapters.waiting import wait_until
from switchover.errors import SwitchoverError
from switchover.model import Colour, EnvironmentRecord, HistoryEntry, ServiceRecord, Slot, Workload
from tests.cluster.debian import program, unpacked

NAMESPACE = "prod"


@dataclass(slots=True)
class BudgetLedger:
    """A ledger in which every service runs with this latency budget in both colours."""

    budgets: dict[str, int] = field(default_factory=dict)

    def read(self) -> EnvironmentRecord:
        slots = {name: Slot(None, Workload((), 1, "/", latency_budget_ms=ms)) for name, ms in self.budgets.items()}
        services = {name: ServiceRecord(blue=slot, green=slot) for name, slot in slots.items()}
        return EnvironmentRecord("test", services=services)

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        raise NotImplementedError

    def append_history(self, entry: HistoryEntry) -> None:
        raise NotImplementedError

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        raise NotImplementedError


# --- HTTP servers of the tests' own ------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """A request as a server got it."""

    path: str
    form: dict[str, str]
    headers: Mapping[str, str]


Respond = Callable[[Asked], tuple[int, bytes]]


@contextlib.contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """`host:port` of a server that answers GET and POST by this function; status 0: it hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, answer = respond(Asked(self.path, form, dict(self.headers)))
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 as above

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def vector(*samples: tuple[Mapping[str, str], object], at: float = 1000.0) -> bytes:
    """An answer of Prometheus."""
    result = [{"metric": dict(labels), "value": [at, str(value)]} for labels, value in samples]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@contextlib.contextmanager
def bridging(admin: Path) -> Iterator[str]:
    """`host:port` where the statistics of the Envoy behind this socket can be scraped."""

    def respond(asked: Asked) -> tuple[int, bytes]:
        connection = UnixHTTPConnection(str(admin), 3.0)
        with contextlib.closing(connection):
            connection.request("GET", asked.path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    with serving(respond) as address:
        yield address


# --- real programs -----------------------------------------------------------------------------------


def find_prometheus() -> Path:
    """The program on the PATH, or Debian's; skips the test where neither can be had."""
    found = _locate_prometheus()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@cache
def _locate_prometheus() -> Path | str:
    """Or why there is none; asked once, because a download that fails takes its time."""
    on_path = shutil.which("prometheus")
    if on_path:
        return Path(on_path)
    try:
        return program(unpacked("prometheus", ["prometheus"]), "prometheus")
    except SwitchoverError as error:
        return f"{type(error).__name__}: no prometheus on the PATH, and Debian's: {error.problem.found}"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def prometheus(folder: Path, *targets: str, interval: str = "250ms") -> Iterator[str]:
    """The address of a Prometheus that scrapes Envoy's statistics at these targets, four times a second or as said."""
    folder.mkdir()
    scrape = {
        "job_name": "gateway",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": list(targets)}],
    }
    times = {"scrape_interval": interval, "scrape_timeout": interval}
    (folder / "prometheus.yml").write_text(json.dumps({"global": times, "scrape_configs": [scrape]}))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(find_prometheus()),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with running(command, folder / "log"):
        assert wait_until(lambda: answers(f"{address}/-/ready"), 30.0), (folder / "log").read_text()
        yield f"http://{address}"


def answers(url: str) -> bool:
    host, _, path = url.partition("/")
    connection = http.client.HTTPConnection(host, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", f"/{path}")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


@dataclass(frozen=True, slots=True)
class Gateway:
    """An Envoy with a cluster per colour, called as Contour calls them; `to-blue` and `to-green` choose the path."""

    users: str
    admin: str

    def send(self, colour: Colour, path: str = "/", count: int = 1) -> set[int]:
        """The statuses that so many users saw."""
        connection = http.client.HTTPConnection(self.users, timeout=10)
        seen = set()
        with contextlib.closing(connection):
            for _ in range(count):
                connection.request("GET", path, headers={"to": colour})
                answer = connection.getresponse()
                answer.read()
                seen.add(answer.status)
        return seen


@contextlib.contextmanager
def gateway(
    folder: Path, endpoints: Mapping[Colour, str | None], stat_names: Mapping[Colour, str]
) -> Iterator[Gateway]:
    """Start Envoy with these endpoints (`host:port`, None: the cluster is empty), on the same ports for a folder."""
    folder.mkdir(exist_ok=True)
    ports = folder / "ports"
    if not ports.exists():
        ports.write_text(f"{free_port()} {free_port()}")
    users, admin = (f"127.0.0.1:{port}" for port in ports.read_text().split())
    (folder / "envoy.json").write_text(json.dumps(_envoy(users, admin, endpoints, stat_names)))
    command = [str(find_envoy()), "-c", f"{folder}/envoy.json", "--disable-hot-restart", "--concurrency", "1"]
    with running([*command, "-l", "error"], folder / "log"):
        assert wait_until(lambda: answers(f"{admin}/ready"), 20.0), (folder / "log").read_text()
        yield Gateway(users, admin)


def _envoy(
    users: str, admin: str, endpoints: Mapping[Colour, str | None], stat_names: Mapping[Colour, str]
) -> dict[str, object]:
    kind = "type.googleapis.com/envoy.extensions.filters"
    routes = [
        {
            "match": {"prefix": "/", "headers": [{"name": "to", "string_match": {"exact": colour}}]},
            "route": {
                "cluster": colour,
                "timeout": "1s",
                "retry_policy": {"retry_on": "connect-failure", "num_retries": 1},
            },
        }
        for colour in endpoints
    ]
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "users",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "users",
        "address": _address(users),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    clusters = [
        {
            "name": colour,
            "alt_stat_name": stat_names[colour],
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": colour,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(end)}}]}] if end else [],
            },
        }
        for colour, end in endpoints.items()
    ]
    return {
        "admin": {"address": _address(admin)},
        "stats_flush_interval": "0.2s",  # histograms are only exported as they were at the last flush
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _address(address: str) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
