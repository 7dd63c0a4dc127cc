"""A project in a folder with a real ledger and fake target, and the command line on it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.adapters.file_fence import EnvironmentLock
from switchover.adapters.sqlite_ledger import SqliteLedger
from switchover.adapters.webhook_notifier import SilentNotifier
from switchover.cli.main import run
from switchover.config import Config
from switchover.model import Artifact, Colour, EnvironmentRecord, Release, Route, ServiceRecord, Slot, Workload
from switchover.operations.environment import EnvironmentPorts
from tests.builders import an_entry
from tests.fakes import FakeClock, FakeFence, FakeTarget, InMemoryArtifactStore

CONFIG = """\
[project]
name = "acme"

[services.shop]
path = "services/shop"
command = ["{python}", "-m", "shop"]

[environments.production]
bake_seconds = 7
"""


class LedgerFence(FakeFence):
    """Lets the ledger's highest epoch in."""

    def __init__(self, ledger: SqliteLedger) -> None:
        super().__init__()
        self._ledger = ledger

    @contextmanager
    def holding(self, epoch: int) -> Iterator[None]:
        self.epoch = self._ledger.read_epoch()
        with super().holding(epoch):
            yield


@dataclass(slots=True)
class Ran:
    """What one command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Project:
    """A project with one service and one environment. `started` counts how often the target was brought up."""

    root: Path
    ledger: SqliteLedger = field(init=False)
    target: FakeTarget = field(init=False)
    store: InMemoryArtifactStore = field(init=False)
    clock: FakeClock = field(default_factory=FakeClock)
    started: int = 0

    def __post_init__(self) -> None:
        service = self.root / "services" / "shop"
        service.mkdir(parents=True)
        (service / "package.json").write_text('{"name": "shop", "version": "1.0.0"}')
        self.config_file.write_text(CONFIG)
        state = self.root / ".switchover" / "production"
        self.ledger = SqliteLedger(state / "ledger.db", "production", EnvironmentLock(state / "environment.lock"))
        self.target = FakeTarget(fence=LedgerFence(self.ledger))
        (self.root / "artifacts").mkdir()
        self.store = InMemoryArtifactStore(self.root / "artifacts")

    @property
    def config_file(self) -> Path:
        return self.root / "switchover.toml"

    def connect(self, config: Config, environment: str, *, start: bool) -> EnvironmentPorts:
        assert environment in config.environments
        self.started += start
        target = self.target
        return EnvironmentPorts(
            name=environment,
            ledger=self.ledger,
            slots=target.slots,
            router=target.router,
            signals=target.signals,
            prober=target.prober,
            preflight=target.preflight,
            migrator=target.migrator,
            releases=self.store,
            notifier=SilentNotifier(),
            clock=self.clock,
        )

    def run(self, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run([*arguments, "--config", str(self.config_file)], self.connect)
        return Ran(status, out.getvalue(), err.getvalue())

    def publish(self, version: str) -> Release:
        source = self.root / f"shop-{version}"
        source.write_text(version)
        artifact: Artifact = self.store.put("shop", version, "service", source)
        release = Release("shop", version, artifact, "0" * 40)
        self.store.publish(release)
        return release

    def workload(self) -> Workload:
        return Workload(command=("{python}", "-m", "shop"), replicas=2, health_path="/healthz")

    def go_live(self, version: str) -> Release:
        """`version` live on blue, in the ledger, the router and the slots, after 0.9.0 was."""
        release = self.publish(version)
        service = ServiceRecord(live=Colour.BLUE, blue=Slot(release, self.workload()), route=Route(100, 0))
        self.ledger.write(EnvironmentRecord("production", epoch=1, services={"shop": service}))
        self.ledger.append_history(an_entry("0.9.0", ended_at=1.0))
        self.ledger.append_history(an_entry(version, ended_at=2.0))
        self.target.slots.running["shop", Colour.BLUE] = (release, self.workload())
        return release
