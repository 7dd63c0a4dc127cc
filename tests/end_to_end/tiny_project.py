"""A project with one tiny service, its releases in the store, and its environment running."""

from __future__ import annotations

import contextlib
import http.client
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from switchover.adapters.connect import LocalEnvironment, open_local
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.config import Config, load_config
from switchover.model import Release

SERVER = Path(__file__).parents[1] / "tiny_server.py"
SWITCHOVER_TOML = """
[project]
name = "tiny-project"

[services.tiny]
path = "services/tiny"
command = ["{python}", "server.py"]
replicas = 1
health_path = "/health"
drain_seconds = 1

[environments.production]
target = "local"
steps = [{ canary_percent = 10, hold_seconds = 0 }, { canary_percent = 100, hold_seconds = 0 }]
bake_seconds = 0
lease_seconds = 300
"""


@dataclass(slots=True)
class TinyProject:
    """The project's folder, its configuration and its running environment."""

    root: Path
    config: Config
    local: LocalEnvironment

    @property
    def address(self) -> str:
        return self.local.target.read_address("tiny")


@contextlib.contextmanager
def tiny_project(root: Path, *versions: str, toml: str = SWITCHOVER_TOML) -> Iterator[TinyProject]:
    """Publish the versions, start the environment; nothing of it is left afterwards."""
    (root / "services" / "tiny").mkdir(parents=True)
    (root / "switchover.toml").write_text(toml, encoding="utf-8")
    config = load_config(root)
    store = FolderArtifacts(config.artifacts_folder())
    for version in versions:
        archive = root / f"tiny-{version}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(SERVER, "server.py")
        store.publish(Release("tiny", version, store.put("tiny", version, "service", archive), "0" * 40))
    local = open_local(config, "production")
    try:
        local.ensure_running()
        yield TinyProject(root, config, local)
    finally:
        local.target.stop_environment()
        assert local.target.environment_processes() == ()


@dataclass(slots=True)
class Users:
    """Somebody who asks all the time, one request after the other, and counts what fails."""

    address: str
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _pause_seconds: float = 0.01

    @contextlib.contextmanager
    def asking(self) -> Iterator[Users]:
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _ask(self) -> None:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        while not self._stop.wait(self._pause_seconds):
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    self.failures.append(f"{answer.status} from {answer.getheader('x-switchover-colour')}")
            except OSError as error:
                self.failures.append(type(error).__name__)
                connection.close()
            self.requests += 1
