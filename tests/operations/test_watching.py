from __future__ import annotations

from dataclasses import replace

import pytest

from switchover.errors import UnhealthyError
from switchover.model import Colour, JudgeSettings, Rollout, Route, Tally
from switchover.operations.lease import acquire
from switchover.operations.rollout import begin
from switchover.operations.watch import Watch, look, open_watch
from tests.operations.house import House

COUNTED = Tally(90, 1, 2)


@pytest.fixture
def house() -> House:
    """1.0.0 is live on blue; two replicas of the router have counted requests to green long ago."""
    house = House()
    house.deploy("1.0.0")
    for source in ("router", "router 2"):
        house.target.signals.add("shop", Colour.GREEN, Tally(1000, 100, 100), source)
    return house


@pytest.fixture
def rollout(house: House) -> Rollout:
    ports = house.ports()
    return begin(ports, acquire(ports, "deploy", 15.0), house.plan("1.1.0"), rollout_id="run-1", flow_run_id=None)


def see(house: House, rollout: Rollout, watching: Watch) -> tuple[Watch, Tally]:
    """One look, and what it counted of green."""
    watching, observation, _ = look(house.ports(), rollout, watching, JudgeSettings(), ())
    return watching, observation.canary


def test_what_all_replicas_of_a_router_count_is_added(house: House, rollout: Rollout) -> None:
    watching = open_watch(house.ports(), rollout)
    for source in ("router", "router 2"):
        house.target.signals.add("shop", Colour.GREEN, COUNTED, source)
    assert see(house, rollout, watching)[1] == COUNTED + COUNTED


def test_a_replica_of_the_router_that_starts_again_counts_from_zero_and_the_other_goes_on(
    house: House, rollout: Rollout
) -> None:
    watching = open_watch(house.ports(), rollout)
    house.target.signals.forget("shop", "router 2")
    for source in ("router", "router 2"):
        house.target.signals.add("shop", Colour.GREEN, COUNTED, source)
    assert see(house, rollout, watching)[1] == COUNTED + COUNTED


def test_what_a_replica_of_the_router_counted_before_it_was_first_seen_is_nobodys_evidence(
    house: House, rollout: Rollout
) -> None:
    watching = open_watch(house.ports(), rollout)
    house.target.signals.add("shop", Colour.GREEN, Tally(100_000, 1000, 1000), "router 3")
    watching, counted = see(house, rollout, watching)
    assert counted == Tally()
    house.target.signals.add("shop", Colour.GREEN, COUNTED, "router 3")
    watching, counted = see(house, rollout, watching)
    assert counted == COUNTED
    house.target.signals.forget("shop", "router 3")
    house.target.signals.add("shop", Colour.GREEN, COUNTED, "router 3")
    assert see(house, rollout, watching)[1] == COUNTED


def test_a_source_that_is_known_from_the_other_colour_counts_from_its_first_request(
    house: House, rollout: Rollout
) -> None:
    """Many gateways know nothing of a colour before its first request, and those must not be lost."""
    watching = open_watch(house.ports(), rollout)
    watching = replace(watching, tallies={**watching.tallies, Colour.GREEN: {}})
    house.target.signals.forget("shop", "router")
    house.target.signals.forget("shop", "router 2")
    house.target.signals.add("shop", Colour.GREEN, COUNTED, "router 2")
    assert see(house, rollout, watching)[1] == COUNTED


def test_a_source_that_falls_silent_counts_nothing_and_brings_no_old_requests_when_it_speaks_again(
    house: House, rollout: Rollout
) -> None:
    watching = open_watch(house.ports(), rollout)
    for source in ("router", "router 2"):
        house.target.signals.lose(source)
    for _ in range(2):
        watching, counted = see(house, rollout, watching)
        assert counted == Tally()
    house.target.signals.add("shop", Colour.GREEN, COUNTED, "router 2")
    assert see(house, rollout, watching)[1] == COUNTED


def test_our_own_probes_are_nobodys_evidence(house: House) -> None:
    """A gateway counts them as it counts users: without those, 1.1.0 has had no request at all."""
    house.clock.on_sleep = lambda _now: None
    house.target.router.counted_probes = {Colour.GREEN: 200, Colour.BLUE: 200}
    confirm = house.target.router.confirm_route

    def probed(service: str, route: Route) -> dict[Colour, int]:
        house.target.signals.add("shop", Colour.GREEN, Tally(200, 0, 0))
        return confirm(service, route)

    house.target.router.confirm_route = probed  # type: ignore[method-assign]
    with pytest.raises(UnhealthyError, match="no canary request"):
        house.deploy("1.1.0")


def test_a_bad_answer_is_never_taken_for_one_of_ours(house: House) -> None:
    house.serve_traffic(new_errors=40)
    house.target.router.counted_probes = {Colour.GREEN: 10_000}
    with pytest.raises(UnhealthyError, match="errors"):
        house.deploy("1.1.0")
