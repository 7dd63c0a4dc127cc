"""A real environment of the target `local` for tests: Envoy, supervisord and `tiny_server.py`."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from switchover.adapters.container_engine import OpenClient
from switchover.adapters.local_target import LocalTarget, PublicListener
from switchover.adapters.waiting import wait_until
from switchover.model import Artifact, Colour, Release, Workload
from tests.fakes import FakeFence, InMemoryArtifactStore

_SERVER = Path(__file__).with_name("tiny_server.py")


@dataclass(slots=True)
class LocalCase:
    """One running environment; its services come and go by test."""

    target: LocalTarget
    fence: FakeFence
    store: InMemoryArtifactStore
    scratch: Path
    state: Path

    def add_service(self, name: str) -> str:
        """Give a service a listener on a free port, and return its name."""
        self.target.ensure_running((PublicListener(name),))
        return name

    def publish(self, service: str, version: str = "1.0.0") -> Release:
        """The tiny server as a release; the same one when it is published already."""
        published = self.store.find(service, version)
        if published is not None:
            return published
        archive = self.scratch / f"{service}-{version}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(_SERVER, "server.py")
        artifact = self.store.put(service, version, "service", archive)
        release = Release(service, version, artifact, hashlib.sha256(version.encode()).hexdigest()[:7])
        self.store.publish(release)
        return release

    def start(self, service: str, colour: Colour, version: str = "1.0.0", **workload: object) -> Release:
        """Start a release and wait until it is ready."""
        release = self.publish(service, version)
        self.target.slots.start(release, colour, make_workload(**workload), epoch=self.fence.epoch)
        self.wait_ready(service, colour)
        return release

    def wait_ready(self, service: str, colour: Colour) -> None:
        status = self.target.slots.read_status
        assert wait_until(lambda: status(service, colour).ready, 20.0), status(service, colour)

    def ask(self, service: str, path: str = "/", headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """One request of a user, on a connection of its own. The body is read into `answer.text`."""
        return ask(self.target.read_address(service), path, headers)

    def send(self, service: str, count: int, path: str = "/") -> Counter[str]:
        """Users' requests on one connection; how many each colour answered with which status: `blue 200`."""
        host, _, port = self.target.read_address(service).rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        seen: Counter[str] = Counter()
        with contextlib.closing(connection):
            for _ in range(count):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                seen[f"{answer.getheader('x-switchover-colour')} {answer.status}"] += 1
        return seen


def make_workload(**changes: object) -> Workload:
    """One replica of the tiny server."""
    fields: dict[str, object] = {
        "command": ("{python}", "server.py"),
        "replicas": 1,
        "health_path": "/health",
        "drain_seconds": 1.0,
    }
    return Workload(**(fields | changes))  # type: ignore[arg-type]


def ask(address: str, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        return answer


@contextlib.contextmanager
def local_environment(
    folder: Path, environ: dict[str, str], open_client: OpenClient | None = None
) -> Iterator[LocalCase]:
    """Start an environment below `folder`; nothing of it is left afterwards."""
    (folder / "store").mkdir()
    (folder / "run").mkdir(mode=0o700)
    fence, store = FakeFence(), InMemoryArtifactStore(folder / "store")
    target = LocalTarget(folder / "state", store, fence, environ, open_client=open_client)
    try:
        target.ensure_running()
        yield LocalCase(target, fence, store, folder, folder / "state")
    finally:
        target.stop_environment()
        assert target.environment_processes() == ()


def artifact_of(content: bytes) -> Artifact:
    return Artifact("x", "1.0.0", "service", f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
