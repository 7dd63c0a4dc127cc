"""The promises of the port `Signals`."""

from __future__ import annotations

from switchover.adapters.waiting import wait_until
from switchover.model import Colour, Route, Tally, Workload
from tests.contracts.conftest import Case

EPOCH = 1


def start_both(case: Case, workload: Workload) -> None:
    for colour in Colour:
        case.slots.start(case.publish("1.0.0"), colour, workload, epoch=EPOCH)
    for colour in Colour:
        case.wait_ready(colour)


def wait_for(case: Case, blue: Tally, green: Tally) -> None:
    # A request is counted when it is over, which may be just after its user has the answer.
    expected = {Colour.BLUE: blue, Colour.GREEN: green}
    wait_until(lambda: case.signals.read_tallies(case.service) == expected, 2.0)
    assert case.signals.read_tallies(case.service) == expected


def test_a_service_that_nobody_asked_has_zero_counts(case: Case) -> None:
    assert case.signals.read_tallies(case.service) == {Colour.BLUE: Tally(), Colour.GREEN: Tally()}


def test_requests_errors_and_slow_answers_are_counted_exactly_per_colour(case: Case, workload: Workload) -> None:
    start_both(case, workload)
    case.router.set_route(case.service, Route(100, 0), epoch=EPOCH)
    case.send(30, "/")
    case.send(5, "/fail")
    case.router.set_route(case.service, Route(0, 100), epoch=EPOCH)
    case.send(20, "/")
    case.send(2, "/slow?seconds=0.15")
    wait_for(case, blue=Tally(35, 5, 0), green=Tally(22, 0, 2))


def test_probes_and_health_checks_are_not_counted(case: Case, workload: Workload) -> None:
    start_both(case, workload)
    case.router.set_route(case.service, Route(50, 50), epoch=EPOCH)
    for _ in range(5):
        case.router.confirm_route(case.service, Route(50, 50))
        case.slots.read_status(case.service, Colour.GREEN)
    wait_for(case, blue=Tally(), green=Tally())


def test_answers_of_the_router_itself_count_as_errors_of_the_colour(case: Case) -> None:
    case.router.set_route(case.service, Route(0, 100), epoch=EPOCH)
    assert case.send(10, "/") == {"green 503": 10}
    wait_for(case, blue=Tally(), green=Tally(10, 10, 0))
