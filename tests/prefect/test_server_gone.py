"""The Prefect server dies while a deployment runs: the deployment goes on, whichever way it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from switchover.model import Phase, Route
from tests.prefect.house import SERVICE, House, open_house
from tests.prefect.server import start_server, stop_server

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(400)]

_log = logging.getLogger("measured")
_ANSWER, _FAILURE = '(200, f"{os.environ', '(500, f"{os.environ'


@contextmanager
def _house_of_its_own(folder: Path) -> Iterator[House]:
    """A house whose server may be ended."""
    server = start_server(folder / "home")
    try:
        with open_house(folder / "project", server, hold_seconds=15, lease_seconds=15) as house:
            house.serve("deploy")
            yield house
    finally:
        stop_server(server)


@contextmanager
def _users(house: House) -> Iterator[None]:
    """About twenty requests a second, whatever they are answered."""
    gone = threading.Event()
    address = house.local().target.read_address(SERVICE)

    def use() -> None:
        while not gone.wait(0.05):
            house.ask_anything(address)

    user = threading.Thread(target=use)
    user.start()
    try:
        yield
    finally:
        gone.set()
        user.join()


def test_a_good_release_goes_live_without_the_server(tmp_path: Path) -> None:
    with _house_of_its_own(tmp_path) as house, _users(house):
        house.order_deploy("1.1.0")
        house.wait_phase(Phase.SHIFTING, "1.1.0", 50)
        stop_server(house.server)
        house.wait_closed(seconds=120)
        assert [entry.outcome for entry in house.history()] == ["live", "live"]
        assert house.local().ports.router.read_route(SERVICE) == Route(0, 100)


def test_a_bad_release_is_taken_back_without_the_server(tmp_path: Path) -> None:
    with _house_of_its_own(tmp_path) as house:
        program = (Path(__file__).parent.parent / "tiny_server.py").read_text()
        assert program.count(_ANSWER) == 1
        house.publish("1.2.0", server=program.replace(_ANSWER, _FAILURE))
        house.order_deploy("1.2.0")
        house.wait_phase(Phase.SHIFTING, "1.2.0", 50)
        stop_server(house.server)
        began = time.monotonic()
        with _users(house):
            traffic = house.wait_route(Route(100, 0))
            house.wait_closed()
        closed = time.monotonic() - began
        _log.info("server gone, release bad: traffic back %.1f s after its first users, closed %.1f s", traffic, closed)
        house.require_one_colour("1.0.0")
        assert len(house.rolled_back()) == 1
