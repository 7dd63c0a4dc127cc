"""The life of a whole environment of the target `local`: it ends without a trace and comes back as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from switchover.adapters.local_target import LocalTarget
from switchover.adapters.waiting import wait_until
from switchover.errors import TargetError
from switchover.model import Colour, Route
from tests.local_target_fixtures import LocalCase, local_environment, make_workload


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCase]:
    with local_environment(tmp_path, dict(os.environ)) as case:
        case.add_service("shop")
        case.start("shop", Colour.BLUE)
        case.start("shop", Colour.GREEN, "1.1.0")
        case.target.router.set_route("shop", Route(40, 60), epoch=1)
        yield case


def look(case: LocalCase) -> tuple[object, ...]:
    status = case.target.slots.read_status
    addresses = tuple(status("shop", colour).addresses for colour in Colour)
    return case.target.read_address("shop"), case.target.router.read_route("shop"), addresses


def test_nothing_runs_after_the_end_and_everything_comes_back_as_it_was(local: LocalCase) -> None:
    before = look(local)
    pids = local.target.environment_processes()
    assert len(pids) == 6  # supervisor, Envoy, and per replica the runner and the service
    local.target.stop_environment()
    local.target.stop_environment()
    assert local.target.environment_processes() == ()
    assert not Path((local.state / "run-folder").read_text().strip()).exists()
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)
    assert local.target.router.read_route("shop") is None
    assert local.target.slots.read_status("shop", Colour.BLUE).ready_replicas == 0
    local.target.ensure_running()
    for colour in Colour:
        local.wait_ready("shop", colour)
        assert local.target.slots.read_status("shop", colour).restart_times == ()
    assert look(local) == before
    local.target.router.confirm_route("shop", Route(40, 60))


def test_a_killed_supervisor_is_replaced_with_all_that_it_ran(local: LocalCase) -> None:
    before = look(local)
    supervisor = local.target.environment_processes()[0]
    assert "supervisord" in " ".join(psutil.Process(supervisor).cmdline())
    os.kill(supervisor, signal.SIGKILL)
    local.target.ensure_running()
    for colour in Colour:
        local.wait_ready("shop", colour)
    assert look(local) == before
    assert len(local.target.environment_processes()) == 6


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_supervisor_that_hangs_is_named_and_costs_no_user_anything(local: LocalCase) -> None:
    before = local.target.environment_processes()
    with stopped(before[0]):
        with pytest.raises(TargetError, match="does not answer") as caught:
            local.target.ensure_running()
        assert f"process {before[0]}" in caught.value.problem.found
        assert f"kill -CONT {before[0]}" in caught.value.problem.next_step
        assert local.target.environment_processes() == before
        assert local.send("shop", 20).keys() <= {"blue 200", "green 200"}
    local.target.ensure_running()
    assert local.target.environment_processes() == before


def test_weights_can_be_changed_while_the_supervisor_hangs_or_is_gone(local: LocalCase) -> None:
    router, supervisor = local.target.router, local.target.environment_processes()[0]
    with stopped(supervisor):
        local.target.ensure_routing()
        router.set_route("shop", Route(100, 0), epoch=1)
        router.confirm_route("shop", Route(100, 0))
        assert local.send("shop", 20) == {"blue 200": 20}
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: supervisor not in local.target.environment_processes(), 5.0)
    local.target.ensure_routing()
    router.set_route("shop", Route(0, 100), epoch=1)
    assert local.send("shop", 20) == {"green 200": 20}
    with pytest.raises(TargetError, match="does not run"):
        local.target.slots.stop("shop", Colour.BLUE, epoch=1)


def test_without_a_router_there_is_one_before_weights_are_changed(local: LocalCase) -> None:
    local.target.stop_environment()
    local.target.ensure_routing()
    assert local.target.router.read_route("shop") == Route(40, 60)


def test_a_secret_that_is_missing_after_a_restart_is_told_in_the_status(local: LocalCase) -> None:
    local.target.slots.stop("shop", Colour.GREEN, epoch=1)
    environ = {name: value for name, value in os.environ.items() if name != "SHOP_TOKEN"}
    knowing = LocalTarget(local.state, local.store, local.fence, environ | {"SHOP_TOKEN": "s3cr3t"})
    release = local.publish("shop", "1.1.0")
    knowing.slots.start(release, Colour.GREEN, make_workload(secret_variables=("SHOP_TOKEN",)), epoch=1)
    local.wait_ready("shop", Colour.GREEN)
    local.target.stop_environment()
    unknowing = LocalTarget(local.state, local.store, local.fence, environ)
    unknowing.ensure_running()
    status = unknowing.slots.read_status
    assert wait_until(lambda: "SHOP_TOKEN" in status("shop", Colour.GREEN).detail, 10.0), status("shop", Colour.GREEN)
    assert status("shop", Colour.GREEN).ready_replicas == 0


def test_a_killed_envoy_comes_back_with_the_same_route(local: LocalCase) -> None:
    envoy = next(p for p in local.target.environment_processes() if psutil.Process(p).name() == "envoy")
    os.kill(envoy, signal.SIGKILL)
    assert wait_until(lambda: local.target.router.read_route("shop") == Route(40, 60), 10.0)
    for colour in Colour:
        local.wait_ready("shop", colour)
    assert local.send("shop", 20).keys() <= {"blue 200", "green 200"}


def test_another_process_finds_the_same_environment(local: LocalCase, tmp_path: Path) -> None:
    elsewhere = dict(os.environ) | {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    other = LocalTarget(local.state, local.store, local.fence, elsewhere)
    pids = local.target.environment_processes()
    other.ensure_running()
    assert other.environment_processes() == pids
    assert other.router.read_route("shop") == Route(40, 60)
