"""One deployment through several environments: in order, and no further than the first bad one."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Iterator

import pytest

from switchover.adapters.connect import open_local
from switchover.model import Phase, Route
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

_log = logging.getLogger("measured")
_SECOND = "second"
_WAVES = """
[environments.second]
strategy = "instant"
bake_seconds = 0
lease_seconds = 120
[environments.second.services.tiny]

[waves.world]
environments = [["{first}"], ["second"]]
"""
_RUN = (
    "import sys; from flows.waves import deploy_waves; deploy_waves('tiny', sys.argv[1], 'world', strategy='instant')"
)


@pytest.fixture
def world(house: House) -> Iterator[House]:
    """The house's environment is the first wave, a second one the next; nothing is live in that yet."""
    file = house.folder / "switchover.toml"
    file.write_text(file.read_text() + _WAVES.format(first=house.environment))
    try:
        yield house
    finally:
        open_local(house.config, _SECOND).target.stop_environment()


def walk(world: House, version: str) -> subprocess.CompletedProcess[str]:
    world.start(f"walk-{version}", "-c", _RUN, version).wait(120)
    done = world.processes.pop(f"walk-{version}")
    return subprocess.CompletedProcess(done.args, done.returncode, world.log(f"walk-{version}"), "")


def live_in(world: House, environment: str) -> str | None:
    service = open_local(world.config, environment).ports.ledger.read().services.get(SERVICE)
    if service is None or service.live is None:
        return None
    release = service.slot(service.live).release
    return release.version if release else None


def test_every_wave_gets_the_release(world: House) -> None:
    done = walk(world, "1.1.0")
    assert done.returncode == 0, done.stdout[-3000:]
    assert live_in(world, world.environment) == "1.1.0"
    assert live_in(world, _SECOND) == "1.1.0"


def test_the_waves_behind_a_bad_one_are_not_touched(world: House) -> None:
    world.publish("1.2.0", server="raise SystemExit(1)")
    assert walk(world, "1.2.0").returncode != 0
    world.wait_closed()
    assert live_in(world, world.environment) == "1.0.0"
    assert live_in(world, _SECOND) is None


def order_until_half(world: House) -> str:
    """Waves of 1.1.0 whose first environment has reached 50 % and holds there."""
    world.serve("waves")
    run = world.order("deploy-waves", service=SERVICE, version="1.1.0", waves="world")
    world.wait_phase(Phase.SHIFTING, "1.1.0", 50)
    world.wait_route(Route(50, 50))
    return run


def require_taken_back(world: House, what: str) -> None:
    began = time.monotonic()
    traffic = world.wait_route(Route(100, 0))
    world.wait_closed()
    _log.info("waves %s: traffic back after %.1f s, closed after %.1f s", what, traffic, time.monotonic() - began)
    world.require_one_colour("1.0.0")
    assert len(world.rolled_back()) == 1
    assert live_in(world, _SECOND) is None


def test_waves_whose_process_is_killed_are_taken_back_by_the_hook_of_their_runner(world: House) -> None:
    run = order_until_half(world)
    world.flow_process("serve-waves", run).kill()
    require_taken_back(world, "killed")
    assert world.wait_ended(run) == "CRASHED"


def test_cancelled_waves_are_taken_back_by_their_hook(world: House) -> None:
    run = order_until_half(world)
    world.set_state(run, "CANCELLING")
    require_taken_back(world, "cancelled")
    assert world.wait_ended(run) == "CANCELLED"
