"""Every contract runs on the fakes and on real Envoy with real processes; that of the slots on containers too."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from switchover.model import Colour, Release, Tally, Workload
from switchover.ports import Prober, Router, Signals, Slots
from tests.container_fixtures import EngineCase
from tests.contracts.kube_case import cluster_case, kube_case
from tests.fakes import Answer, FakeFence, FakeTarget
from tests.local_target_fixtures import LocalCase, artifact_of, ask, local_environment, make_workload

__all__ = ["cluster_case", "kube_case"]  # fixtures of a file of their own
_NUMBERS = count()


class Case(Protocol):
    """What a contract test may do, whichever target is below."""

    service: str

    @property
    def fence(self) -> FakeFence: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def router(self) -> Router: ...
    @property
    def signals(self) -> Signals: ...
    @property
    def prober(self) -> Prober: ...
    def publish(self, version: str) -> Release: ...
    def wait_ready(self, colour: Colour) -> None: ...
    def send(self, requests: int, path: str) -> Counter[str]: ...
    def log(self, colour: Colour, line: str) -> None: ...


@dataclass(slots=True)
class FakeCase:
    service: str = "shop"
    target: FakeTarget = field(default_factory=FakeTarget)

    @property
    def fence(self) -> FakeFence:
        return self.target.fence

    @property
    def slots(self) -> Slots:
        return self.target.slots

    @property
    def router(self) -> Router:
        return self.target.router

    @property
    def signals(self) -> Signals:
        return self.target.signals

    @property
    def prober(self) -> Prober:
        """One that hears what `tiny_server.py` says, where something runs."""
        self.target.prober.everywhere = None
        for colour in Colour:
            for address in self.slots.read_status(self.service, colour).addresses:
                self.target.prober.script(address, "/health", Answer(200, "well"))
                self.target.prober.script(address, "/fail", Answer(500, "failed"))
                self.target.prober.script(address, "/slow?seconds=0.5", Answer(200, "slow", 0.5))
        return self.target.prober

    def publish(self, version: str) -> Release:
        return Release(self.service, version, artifact_of(version.encode()), "0123abc")

    def wait_ready(self, colour: Colour) -> None:
        assert self.slots.read_status(self.service, colour).ready

    def send(self, requests: int, path: str) -> Counter[str]:
        route = self.target.router.routes[self.service]
        seen: Counter[str] = Counter()
        for colour in Colour:
            share = requests * route.percent(colour) // 100
            running = (self.service, colour) in self.target.slots.running
            status = 503 if not running else 500 if path == "/fail" else 200
            errors = share if status != 200 else 0
            self.target.signals.add(self.service, colour, Tally(share, errors, share if "slow" in path else 0))
            if share:
                seen[f"{colour} {status}"] = share
        return seen

    def log(self, colour: Colour, line: str) -> None:
        self.target.slots.log[self.service, colour].append(line)


@dataclass(slots=True)
class RealCase:
    service: str
    local: LocalCase

    @property
    def fence(self) -> FakeFence:
        return self.local.fence

    @property
    def slots(self) -> Slots:
        return self.local.target.slots

    @property
    def router(self) -> Router:
        return self.local.target.router

    @property
    def signals(self) -> Signals:
        return self.local.target.signals

    @property
    def prober(self) -> Prober:
        return self.local.target.prober

    def publish(self, version: str) -> Release:
        return self.local.publish(self.service, version)

    def wait_ready(self, colour: Colour) -> None:
        self.local.wait_ready(self.service, colour)

    def send(self, requests: int, path: str) -> Counter[str]:
        return self.local.send(self.service, requests, path)

    def log(self, colour: Colour, line: str) -> None:
        address = self.slots.read_status(self.service, colour).addresses[0]
        ask(address, f"/log?line={line.replace(' ', '%20')}")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCase]:
    folder: Path = tmp_path_factory.mktemp("local")
    with local_environment(folder, dict(os.environ)) as case:
        yield case


@pytest.fixture
def fake_case() -> Case:
    return FakeCase()


@pytest.fixture(params=["fake_case", "process_case"], ids=["fakes", "envoy and supervisord"])
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.getfixturevalue(request.param)
    return case


@pytest.fixture
def process_case(local: LocalCase) -> Iterator[Case]:
    local.fence.epoch = 1
    case = RealCase(local.add_service(f"shop{next(_NUMBERS)}"), local)
    yield case
    for colour in Colour:
        case.slots.stop(case.service, colour, epoch=local.fence.epoch)


@dataclass(slots=True)
class ContainerCase(RealCase):
    engine: EngineCase

    def publish(self, version: str) -> Release:
        return self.engine.publish(self.local.store, self.service, version)

    def log(self, colour: Colour, line: str) -> None:
        address = self.slots.read_status(self.service, colour).addresses[0]
        ask(address, f"/cgi-bin/log?line={line.replace(' ', '%20')}")


@pytest.fixture(scope="module")
def container_local(tmp_path_factory: pytest.TempPathFactory, engine: EngineCase) -> Iterator[LocalCase]:
    with local_environment(tmp_path_factory.mktemp("containers"), dict(os.environ), engine.open_client) as case:
        yield case


@pytest.fixture
def container_case(container_local: LocalCase, engine: EngineCase) -> Iterator[Case]:
    container_local.fence.epoch = 1
    case = ContainerCase(container_local.add_service(f"shop{next(_NUMBERS)}"), container_local, engine)
    yield case
    for colour in Colour:
        case.slots.stop(case.service, colour, epoch=container_local.fence.epoch)


@pytest.fixture
def workload() -> Workload:
    return make_workload(latency_budget_ms=100)
