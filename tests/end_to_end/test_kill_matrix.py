"""SIGKILL before and after every effect of a deployment and of a rollback, on real Envoy and real processes.

Users ask all the time. Whoever opens the ledger next brings the environment to one healthy colour.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.system_clock import SystemClock
from switchover.adapters.waiting import wait_until
from switchover.model import Route
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import release, take_over
from switchover.operations.recovery import recover_abandoned
from tests.end_to_end.tiny_project import TinyProject, Users, tiny_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kill-matrix")]

WRITE, START, ROUTE, STOP, HISTORY = (
    "SqliteLedger.write",
    "LocalSlots.start",
    "EnvoyRouter.set_route",
    "LocalSlots.stop",
    "SqliteLedger.append_history",
)
# claim, begin, starting, start, testing, 10 %, 100 %, baking, committed, 100 % again, stop, closed and free
DEPLOY = (
    *(WRITE, WRITE, WRITE, START, WRITE),
    *(WRITE, ROUTE, WRITE, ROUTE, WRITE, WRITE, ROUTE, STOP),
    *(HISTORY, WRITE),
)
# the same with one step
ROLLBACK = (
    *(WRITE, WRITE, WRITE, START, WRITE),
    *(WRITE, ROUTE, WRITE, WRITE, ROUTE, STOP),
    *(HISTORY, WRITE),
)
# take over, retreating, all traffic back, stop, closed and free
RETREAT = (WRITE, WRITE, ROUTE, STOP, HISTORY, WRITE)
AT_TEN_PERCENT = 6
CELLS = [
    pytest.param(kind, number, when, id=f"{kind}-{number}-{when}-{name.rpartition('.')[2]}")
    for kind, effects in (("deploy", DEPLOY), ("rollback", ROLLBACK), ("retreat", RETREAT))
    for number, name in enumerate(effects)
    for when in ("before", "after")
]


class TomorrowClock(SystemClock):
    """Whoever looks with this clock finds every lease expired: no test waits for it."""

    def now(self) -> float:
        return super().now() + 3600


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    root = tmp_path_factory.mktemp("kill")
    with tiny_project(root, "1.0.0", "1.1.0", "1.2.0") as project:
        run(project, "deploy", "1.0.0")
        run(project, "deploy", "1.1.0")
        yield project


def run(project: TinyProject, kind: str, version: str, number: int = -1, when: str = "after") -> list[str]:
    """Run the doomed program to its end; the effects that it had or was about to have."""
    effects = project.root / "effects"
    effects.write_text("")
    program = (sys.executable, "-m", "tests.end_to_end.doomed", str(project.root), kind, version, str(number), when)
    ended = subprocess.run(
        [*program, str(effects)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == (0 if number < 0 else -9), ended.stderr
    return effects.read_text().splitlines()


def live_version(project: TinyProject) -> str:
    service = project.local.ports.ledger.read().services["tiny"]
    assert service.live is not None
    release = service.slot(service.live).release
    assert release is not None
    return release.version


def other_version(project: TinyProject) -> str:
    return "1.0.0" if live_version(project) != "1.0.0" else "1.1.0"


def begin_kind(project: TinyProject, kind: str) -> tuple[str, str]:
    """The program to run and its version; for a retreat a rollout was left at 10 % by a deployer that died."""
    if kind != "retreat":
        return kind, other_version(project)
    version = live_version(project)
    run(project, "deploy", other_version(project), AT_TEN_PERCENT, "after")
    return "rollback", version


@pytest.mark.parametrize(("kind", "effects"), [("deploy", DEPLOY), ("rollback", ROLLBACK), ("retreat", RETREAT)])
def test_the_matrix_names_every_effect(project: TinyProject, kind: str, effects: tuple[str, ...]) -> None:
    assert run(project, *begin_kind(project, kind)) == list(effects)


@pytest.mark.parametrize(("kind", "number", "when"), CELLS)
def test_a_killed_deployer_leaves_an_environment_that_comes_back_without_a_lost_request(
    project: TinyProject, kind: str, number: int, when: str
) -> None:
    ports = project.local.ports
    free(ports)  # a lease alone would run out by itself, but late
    with Users(project.address).asking() as users:
        run(project, *begin_kind(project, kind), number, when)
        recover_abandoned(in_the_future(ports), "watchdog")
        asked = users.requests
        assert wait_until(lambda: users.requests > asked + 20, 10.0)
    assert users.failures == []
    assert_one_healthy_colour(project)


def free(ports: EnvironmentPorts) -> None:
    claim = take_over(ports, "the test", 1.0, lambda _record: True)
    assert claim is not None
    release(ports, claim)


def in_the_future(ports: EnvironmentPorts) -> EnvironmentPorts:
    return replace(ports, clock=TomorrowClock())


def assert_one_healthy_colour(project: TinyProject) -> None:
    ports = project.local.ports
    record = ports.ledger.read().services["tiny"]
    assert record.rollout is None
    assert record.live is not None
    live, idle = record.live, record.live.other
    assert ports.router.read_route("tiny") == record.route == Route.giving(live, 100)
    ports.router.confirm_route("tiny", Route.giving(live, 100))
    assert ports.slots.read_status("tiny", live).ready
    assert ports.slots.read_status("tiny", idle).wanted_replicas == 0
