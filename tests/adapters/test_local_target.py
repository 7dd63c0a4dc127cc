"""What the target `local` promises beyond its ports, on real Envoy and real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import psutil
import pytest

from switchover.adapters.envoy_config import render_route
from switchover.adapters.local_target import LocalTarget, PublicListener
from switchover.adapters.waiting import wait_until
from switchover.errors import FencedError, InputError, TargetError
from switchover.model import Colour, Route, Tally, count_since
from tests.fakes import FakeFence, InMemoryArtifactStore
from tests.local_target_fixtures import LocalCase, ask, local_environment, make_workload

_NUMBERS = count()
LEAST_BATCHES, MOST_BATCHES = 10, 100
SECRET = "s3cr3t-%-value"  # noqa: S105 - looked for in files, opens nothing


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCase]:
    environ = dict(os.environ) | {"SHOP_TOKEN": SECRET, "OPERATORS_OWN": "private"}
    with local_environment(tmp_path_factory.mktemp("local"), environ) as case:
        yield case


@pytest.fixture
def shop(local: LocalCase) -> Iterator[str]:
    name = local.add_service(f"shop-{next(_NUMBERS)}")
    local.fence.epoch = 1
    yield name
    for colour in Colour:
        local.target.slots.stop(name, colour, epoch=1)


def test_users_cannot_choose_their_colour(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE)
    for name in ("x-switchover-sample", "X-Switchover-Sample"):
        for value in ("0", "99"):
            answer = ask(local.target.read_address(shop), "/headers", {name: value})
            assert answer.getheader("x-switchover-colour") == "blue"
            assert "x-switchover-sample" not in answer.text  # type: ignore[attr-defined]


def test_switching_to_and_fro_under_load_loses_no_request(local: LocalCase, shop: str) -> None:
    router, slots = local.target.router, local.target.slots
    local.start(shop, Colour.BLUE, "1.0.0", replicas=2)
    router.set_route(shop, Route(100, 0), epoch=1)
    batches: list[Counter[str]] = []
    switched = threading.Event()

    def send() -> None:
        for batch in range(MOST_BATCHES):
            if switched.is_set() and batch >= LEAST_BATCHES:
                return
            batches.append(local.send(shop, 100))

    load = [threading.Thread(target=send) for _ in range(2)]
    for thread in load:
        thread.start()
    local.start(shop, Colour.GREEN, "1.1.0", health_path="/", replicas=2, latency_budget_ms=900)
    for green in (10, 50, 100, 0, 100, 50, 0):
        router.set_route(shop, Route(100 - green, green), epoch=1)
        router.confirm_route(shop, Route(100 - green, green))
    slots.stop(shop, Colour.GREEN, epoch=1)
    switched.set()
    for thread in load:
        thread.join()
    seen = sum(batches, Counter[str]())
    total = seen.total()
    assert total >= 2 * LEAST_BATCHES * 100
    assert seen["green 200"] > 0
    assert {name for name in seen if not name.endswith(" 200")} == set()

    def count_all() -> Tally:
        tallies = local.target.signals.read_tallies(shop)
        return sum((count_since(sources, {}) for sources in tallies.values()), Tally())

    wait_until(lambda: count_all().requests == total, 2.0)
    assert count_all() == Tally(requests=total, errors=0, slow=count_all().slow)


def test_a_request_in_flight_is_seen_and_finished_before_its_replica_ends(local: LocalCase, shop: str) -> None:
    router, slots = local.target.router, local.target.slots
    local.start(shop, Colour.BLUE)
    local.start(shop, Colour.GREEN, drain_seconds=10.0)
    router.set_route(shop, Route(0, 100), epoch=1)
    seen: Counter[str] = Counter()
    user = threading.Thread(target=lambda: seen.update(local.send(shop, 1, "/slow?seconds=0.6")))
    user.start()
    assert wait_until(lambda: router.read_active_requests(shop, Colour.GREEN) == 1, 5.0)
    router.set_route(shop, Route(100, 0), epoch=1)
    slots.stop(shop, Colour.GREEN, epoch=1)
    user.join()
    assert seen == {"green 200": 1}
    assert router.read_active_requests(shop, Colour.GREEN) == 0


def test_what_a_killed_stop_has_left_is_removed_by_the_next_start(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.GREEN, "1.0.0", replicas=2)
    (local.state / "slots" / f"{shop}-green" / "slot.json").unlink()
    local.start(shop, Colour.GREEN, "1.1.0")
    answers = {ask(address, "/").text for address in local.target.slots.read_status(shop, Colour.GREEN).addresses}  # type: ignore[attr-defined]
    assert answers == {"green 1.1.0"}
    local.target.slots.stop(shop, Colour.GREEN, epoch=1)


def test_each_colour_has_its_own_latency_budget(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE, latency_budget_ms=5000)
    local.start(shop, Colour.GREEN, "1.1.0", latency_budget_ms=100)
    for colour, slow in ((Colour.BLUE, 0), (Colour.GREEN, 1)):
        local.target.router.set_route(shop, Route.giving(colour, 100), epoch=1)
        local.target.router.confirm_route(shop, Route.giving(colour, 100))
        assert local.send(shop, 1, "/slow?seconds=0.3") == {f"{colour} 200": 1}
        expected = {"envoy": Tally(requests=1, errors=0, slow=slow)}
        read = local.target.signals.read_tallies
        assert wait_until(lambda: read(shop)[colour] == expected, 5.0), read(shop)  # noqa: B023 called at once


def test_what_a_release_writes_beside_itself_is_gone_at_its_next_start(local: LocalCase, shop: str) -> None:
    release = local.start(shop, Colour.BLUE)
    files = local.state / "slots" / f"{shop}-blue" / "files"
    (files / "server.py").write_text("raise SystemExit('not what was released')")
    local.target.slots.start(release, Colour.BLUE, make_workload(), epoch=1)
    assert "not what was released" in (files / "server.py").read_text()  # the same life goes on
    local.target.slots.stop(shop, Colour.BLUE, epoch=1)
    local.start(shop, Colour.BLUE)
    local.start(shop, Colour.GREEN)
    assert "not what was released" not in (files / "server.py").read_text()
    assert list((local.state / "artifacts").iterdir()) == []


def test_the_daemons_keep_nothing_of_the_operators_environment_that_they_do_not_need(local: LocalCase) -> None:
    first = [psutil.Process(pid) for pid in local.target.environment_processes()]
    daemons = [one for one in first if one.name() == "envoy" or "supervisord" in " ".join(one.cmdline())]
    assert len(daemons) == 2
    for daemon in daemons:
        assert {"OPERATORS_OWN", "SHOP_TOKEN"} & daemon.environ().keys() == set()
        assert "PATH" in daemon.environ()


def test_a_user_who_gives_up_after_the_budget_counts_as_slow(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE, latency_budget_ms=100)
    local.target.router.set_route(shop, Route(100, 0), epoch=1)
    host, _, port = local.target.read_address(shop).rpartition(":")
    with socket.create_connection((host, int(port))) as user:
        user.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\nhost: shop\r\n\r\n")
        user.settimeout(0.3)
        with pytest.raises(TimeoutError):
            user.recv(1)
    expected = {"envoy": Tally(requests=1, errors=0, slow=1)}
    assert wait_until(lambda: local.target.signals.read_tallies(shop)[Colour.BLUE] == expected, 5.0)


def test_a_route_that_envoy_refuses_is_an_error_with_its_words_and_changes_nothing(local: LocalCase, shop: str) -> None:
    local.target.router.set_route(shop, Route(70, 30), epoch=1)
    written = (local.state / "envoy" / f"rds-{shop}.json").read_text()
    broken = render_route(shop, Route(100, 0))
    broken["virtual_hosts"][0]["domains"] = []
    with pytest.raises(TargetError, match="Domains: value must contain at least 1 item"):
        local.target.router.apply(shop, broken, epoch=1)
    assert local.target.router.read_route(shop) == Route(70, 30)
    assert (local.state / "envoy" / f"rds-{shop}.json").read_text() == written
    local.target.router.set_route(shop, Route(60, 40), epoch=1)


def test_a_stale_epoch_writes_no_route(local: LocalCase, shop: str) -> None:
    written = (local.state / "envoy" / f"rds-{shop}.json").read_text()
    with pytest.raises(FencedError):
        local.target.router.set_route(shop, Route(0, 100), epoch=0)
    assert (local.state / "envoy" / f"rds-{shop}.json").read_text() == written


def test_a_taken_port_is_named_with_its_holder_and_nothing_changes(local: LocalCase, shop: str) -> None:
    services = (local.state / "services.json").read_text()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(InputError, match=rf"127.0.0.1:{port}") as caught:
            local.target.ensure_running((PublicListener("late", "127.0.0.1", port),))
    assert str(os.getpid()) in caught.value.problem.found
    assert (local.state / "services.json").read_text() == services
    assert local.target.router.read_route("late") is None
    assert local.target.router.read_route(shop) is not None


def test_a_taken_port_keeps_a_new_environment_from_starting(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path / "state", InMemoryArtifactStore(tmp_path), FakeFence())
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(InputError, match="cannot listen"):
        target.ensure_running((PublicListener("shop", "127.0.0.1", holder.getsockname()[1]),))
    assert target.environment_processes() == ()
    assert not target.is_running()


def test_a_bad_name_of_a_service_is_refused(local: LocalCase) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        local.target.ensure_running((PublicListener("Shop Front"),))


def test_a_crash_loop_shows_in_the_status(local: LocalCase, shop: str) -> None:
    release = local.publish(shop)
    workload = make_workload(environment={"CRASH_AT_START": "3"})
    local.target.slots.start(release, Colour.GREEN, workload, epoch=1)

    def read() -> object:
        return local.target.slots.read_status(shop, Colour.GREEN)

    assert wait_until(lambda: len(local.target.slots.read_status(shop, Colour.GREEN).restart_times) >= 2, 20.0), read()
    status = local.target.slots.read_status(shop, Colour.GREEN)
    assert status.ready_replicas == 0
    assert "exited with status 3" in status.detail
    assert not status.out_of_memory
    assert local.target.slots.read_log_tail(shop, Colour.GREEN, 1) == ("ERROR cannot start",)


def test_a_command_that_does_not_exist_is_told(local: LocalCase, shop: str) -> None:
    local.target.slots.start(local.publish(shop), Colour.GREEN, make_workload(command=("no-such-program",)), epoch=1)
    status = local.target.slots.read_status
    assert wait_until(lambda: "cannot start no-such-program" in status(shop, Colour.GREEN).detail, 10.0)


def test_a_sick_replica_runs_and_is_not_ready(local: LocalCase, shop: str) -> None:
    local.target.slots.start(local.publish(shop), Colour.GREEN, make_workload(environment={"SICK": "1"}), epoch=1)
    address = local.target.slots.read_status(shop, Colour.GREEN).addresses[0]

    def answers() -> bool:
        try:
            return ask(address, "/health").status == 503
        except OSError:
            return False

    assert wait_until(answers, 10.0)
    status = local.target.slots.read_status(shop, Colour.GREEN)
    assert (status.wanted_replicas, status.ready_replicas, status.failed_replicas) == (1, 0, 0)


def test_a_killed_replica_comes_back_and_counts_as_out_of_memory(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE)
    os.kill(replica_pid(local, shop), signal.SIGKILL)
    status = local.target.slots.read_status
    assert wait_until(lambda: len(status(shop, Colour.BLUE).restart_times) == 1, 10.0), status(shop, Colour.BLUE)
    local.wait_ready(shop, Colour.BLUE)
    assert status(shop, Colour.BLUE).out_of_memory
    assert "SIGKILL" in status(shop, Colour.BLUE).detail


def test_a_replica_over_its_memory_limit_is_ended_and_told(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE, memory_limit_mb=100)
    address = local.target.slots.read_status(shop, Colour.BLUE).addresses[0]
    with contextlib.suppress(ConnectionError):  # it may be ended before it has answered
        ask(address, "/grow?mb=150")
    status = local.target.slots.read_status
    assert wait_until(lambda: status(shop, Colour.BLUE).out_of_memory, 10.0), status(shop, Colour.BLUE)
    assert "over its memory limit" in status(shop, Colour.BLUE).detail


def test_secrets_reach_the_replica_and_no_file_or_argument(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE, secret_variables=("SHOP_TOKEN",), environment={"GREETING": "100 %d"})
    address = local.target.slots.read_status(shop, Colour.BLUE).addresses[0]
    seen = json.loads(ask(address, "/environment").text)  # type: ignore[attr-defined]
    assert (seen["SHOP_TOKEN"], seen["GREETING"]) == (SECRET, "100 %d")
    assert "OPERATORS_OWN" not in seen
    holding = [path for path in local.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == []
    assert not any(SECRET in " ".join(psutil.Process(pid).cmdline()) for pid in local.target.environment_processes())


def test_an_unset_secret_is_refused_before_anything_changes(local: LocalCase, shop: str) -> None:
    workload = make_workload(secret_variables=("NOT_SET_ANYWHERE",))
    with pytest.raises(InputError, match="NOT_SET_ANYWHERE"):
        local.target.slots.start(local.publish(shop), Colour.BLUE, workload, epoch=1)
    assert local.target.slots.read_status(shop, Colour.BLUE).wanted_replicas == 0


def test_a_bad_pattern_or_empty_command_is_refused(local: LocalCase, shop: str) -> None:
    release = local.publish(shop)
    for change in ({"log_error_pattern": "("}, {"command": ()}, {"replicas": 0}):
        with pytest.raises(InputError, match=next(iter(change))):
            local.target.slots.start(release, Colour.BLUE, replace(make_workload(), **change), epoch=1)


def test_everything_in_the_state_folder_is_private(local: LocalCase, shop: str) -> None:
    local.start(shop, Colour.BLUE)
    assert local.state.stat().st_mode & 0o077 == 0
    written = [path for path in local.state.rglob("*.json") if "artifacts" not in path.parts]
    assert written
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)


def replica_pid(local: LocalCase, service: str) -> int:
    address = local.target.slots.read_status(service, Colour.BLUE).addresses[0]
    port = int(address.rpartition(":")[2])
    for pid in local.target.environment_processes():
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return pid
    pytest.fail(f"nobody listens on {address}")
