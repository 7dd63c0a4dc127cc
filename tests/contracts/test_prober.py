"""The promises of the port `Prober`."""

from __future__ import annotations

import socket

from switchover.model import Colour, SmokeTest, Workload
from tests.contracts.conftest import Case


def start(case: Case, workload: Workload) -> str:
    case.slots.start(case.publish("1.0.0"), Colour.GREEN, workload, epoch=1)
    case.wait_ready(Colour.GREEN)
    return case.slots.read_status(case.service, Colour.GREEN).addresses[0]


def test_an_answer_as_expected_passes(case: Case, workload: Workload) -> None:
    address = start(case, workload)
    result = case.prober.probe(address, SmokeTest("health", "/health", body_contains="well"))
    assert (result.name, result.passed, result.status) == ("health", True, 200)


def test_another_status_or_body_fails_and_says_so(case: Case, workload: Workload) -> None:
    address = start(case, workload)
    by_status = case.prober.probe(address, SmokeTest("status", "/fail"))
    by_body = case.prober.probe(address, SmokeTest("body", "/health", body_contains="rich"))
    assert (by_status.passed, by_status.status) == (False, 500)
    assert "500" in by_status.detail
    assert (by_body.passed, by_body.status) == (False, 200)
    assert "rich" in by_body.detail


def test_an_expected_error_status_passes(case: Case, workload: Workload) -> None:
    address = start(case, workload)
    assert case.prober.probe(address, SmokeTest("status", "/fail", expect_status=500)).passed


def test_a_late_answer_fails_without_a_status(case: Case, workload: Workload) -> None:
    address = start(case, workload)
    result = case.prober.probe(address, SmokeTest("slow", "/slow?seconds=0.5", within_ms=100))
    assert (result.passed, result.status) == (False, None)


def test_where_nobody_listens_the_probe_fails_and_does_not_raise(case: Case) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = case.prober.probe(f"127.0.0.1:{unused.getsockname()[1]}", SmokeTest("any", "/health"))
    assert (result.passed, result.status) == (False, None)
    assert result.detail
