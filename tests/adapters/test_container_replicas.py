"""What the target `local` promises of containers beyond its ports, on a real engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPException
from itertools import count
from pathlib import Path

import pytest

from switchover.adapters.image_archive import read_image, rewrite_image, write_platform_archives
from switchover.adapters.local_target import LocalTarget
from switchover.adapters.waiting import wait_until
from switchover.errors import MissingProgramError, TargetError
from switchover.model import Colour, Container, Release, SlotStatus, Workload
from tests.container_fixtures import PORT, EngineCase, container_workload, write_context
from tests.fakes import FakeFence
from tests.local_target_fixtures import LocalCase, ask, local_environment, make_workload

_NUMBERS = count()
SECRET = "s3cr3t-%-value"  # noqa: S105 - looked for in files, opens nothing


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, engine: EngineCase) -> Iterator[LocalCase]:
    environ = dict(os.environ) | {"SHOP_TOKEN": SECRET}
    with local_environment(tmp_path_factory.mktemp("containers"), environ, engine.open_client) as case:
        yield case


@pytest.fixture
def shop(local: LocalCase) -> Iterator[str]:
    name = local.add_service(f"shop-{next(_NUMBERS)}")
    local.fence.epoch = 1
    yield name
    for colour in Colour:
        local.target.slots.stop(name, colour, epoch=1)


def run(local: LocalCase, engine: EngineCase, service: str, **workload: object) -> Release:
    """Start the tiny image in blue and wait until it is ready."""
    release = engine.publish(local.store, service, "1.0.0")
    local.target.slots.start(release, Colour.BLUE, container_workload(**workload), epoch=1)
    local.wait_ready(service, Colour.BLUE)
    return release


def read(local: LocalCase, service: str) -> SlotStatus:
    return local.target.slots.read_status(service, Colour.BLUE)


def say(local: LocalCase, service: str, path: str) -> str:
    return str(ask(read(local, service).addresses[0], path).text)  # type: ignore[attr-defined]


def send_signal(local: LocalCase, service: str, name: str) -> None:
    # A container that ends of it may not live to answer.
    with suppress(ConnectionError, HTTPException):
        say(local, service, f"/cgi-bin/signal?{name}")


def test_of_an_image_for_several_platforms_the_engines_own_runs(
    local: LocalCase, engine: EngineCase, shop: str, tmp_path: Path
) -> None:
    own = engine.engine.read_platform()
    foreign = next(platform for platform in ("linux/arm64", "linux/amd64") if platform != own)
    context, tag = write_context(tmp_path / "context"), "localhost/switchover-tests:foreign"
    engine.engine.build(context, "Dockerfile", tag, platform=foreign)
    engine.engine.save(tag, tmp_path / "foreign.tar")
    engine.engine.untag(tag)
    archive = tmp_path / "both.image.tar"
    rewrite_image(tmp_path / "foreign.tar", archive, "both", 1_700_000_000, others=(engine.archive,))
    run(local, replace(engine, archive=archive), shop)
    image = read_image(write_platform_archives(archive, tmp_path)[1])
    assert engine.engine.read_layers(image.tag) == image.layers
    assert engine.engine.read_image_platform(image.tag) == own


def test_a_container_that_ends_comes_back_and_is_counted(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop)
    assert read(local, shop).restart_times == ()
    send_signal(local, shop, "USR1")
    assert wait_until(lambda: len(read(local, shop).restart_times) == 1, 15.0), read(local, shop)
    local.wait_ready(shop, Colour.BLUE)
    status = read(local, shop)
    assert "last exited with status 3" in status.detail
    assert not status.out_of_memory


def test_a_crash_loop_shows_in_the_status_and_its_log_in_the_tail(
    local: LocalCase, engine: EngineCase, shop: str
) -> None:
    workload = container_workload(environment={"CRASH_AT_START": "3"})
    local.target.slots.start(engine.publish(local.store, shop, "1.0.0"), Colour.BLUE, workload, epoch=1)
    assert wait_until(lambda: len(read(local, shop).restart_times) >= 2, 20.0), read(local, shop)
    assert read(local, shop).ready_replicas == 0
    assert local.target.slots.read_log_tail(shop, Colour.BLUE, 1) == ("ERROR cannot start",)
    lines, errors = local.target.slots.read_log_counts(shop, Colour.BLUE)
    assert errors == lines >= 2


def test_a_container_over_its_memory_limit_is_ended_and_told(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop, memory_limit_mb=32)
    send_signal(local, shop, "USR2")
    assert wait_until(lambda: read(local, shop).out_of_memory, 30.0), read(local, shop)


def test_a_container_at_its_cpu_limit_is_throttled(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop, container=Container(PORT, cpus=0.1))
    say(local, shop, "/cgi-bin/burn")
    assert read(local, shop).throttled
    run(local, engine, shop)
    assert read(local, shop).throttled is None


def test_secrets_reach_the_container_and_no_file(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop, secret_variables=("SHOP_TOKEN",), environment={"GREETING": "100 %d"})
    seen = dict(line.partition("=")[::2] for line in say(local, shop, "/cgi-bin/environment").splitlines())
    assert (seen["SHOP_TOKEN"], seen["GREETING"], seen["PORT"]) == (SECRET, "100 %d", str(PORT))
    assert (seen["SWITCHOVER_COLOUR"], seen["SWITCHOVER_VERSION"]) == ("blue", "1.0.0")
    holding = [path for path in local.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == []


def test_an_image_is_read_only_unless_the_workload_says_so(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop)
    assert say(local, shop, "/cgi-bin/write").split() == ["refused", "written"]
    run(local, engine, shop, container=Container(PORT, read_only=False))
    assert say(local, shop, "/cgi-bin/write").split() == ["written"]


def test_processes_and_containers_take_each_others_place(local: LocalCase, engine: EngineCase, shop: str) -> None:
    local.start(shop, Colour.BLUE, "0.9.0")
    run(local, engine, shop)
    assert say(local, shop, "/health") == "well\n"
    local.start(shop, Colour.BLUE, "0.9.0")
    assert containers(engine, shop) == 0
    assert say(local, shop, "/health") == "well"


def test_a_container_that_somebody_removed_is_made_again(local: LocalCase, engine: EngineCase, shop: str) -> None:
    release = run(local, engine, shop, replicas=2)
    gone, kept = engine.engine.read_containers({"switchover.slot": f"{shop}-blue"})
    engine.engine.remove(gone.id)
    assert read(local, shop).failed_replicas == 1
    local.target.slots.start(release, Colour.BLUE, container_workload(replicas=2), epoch=1)
    local.wait_ready(shop, Colour.BLUE)
    assert kept.id in {one.id for one in engine.engine.read_containers({"switchover.slot": f"{shop}-blue"})}


def test_a_container_that_needs_time_to_end_gets_it(local: LocalCase, engine: EngineCase, shop: str) -> None:
    run(local, engine, shop, environment={"LAST_SECONDS": "2"})
    local.target.slots.stop(shop, Colour.BLUE, epoch=1)
    assert local.target.slots.read_log_tail(shop, Colour.BLUE, 1) == ("ended",)
    assert containers(engine, shop) == 0


def test_an_environment_takes_its_containers_with_it_and_brings_them_back(
    local: LocalCase, engine: EngineCase, shop: str
) -> None:
    run(local, engine, shop)
    before = read(local, shop).addresses
    local.target.stop_environment()
    assert containers(engine, shop) == 0
    local.target.ensure_running()
    local.wait_ready(shop, Colour.BLUE)
    assert read(local, shop).addresses == before


def test_an_artifact_that_is_no_image_is_refused(local: LocalCase, shop: str) -> None:
    with pytest.raises(TargetError, match="no image"):
        local.target.slots.start(local.publish(shop), Colour.BLUE, container_workload(), epoch=1)
    assert read(local, shop).wanted_replicas == 0


def test_without_an_engine_a_container_is_refused_and_processes_are_not(
    local: LocalCase, engine: EngineCase, shop: str
) -> None:
    environ = dict(os.environ) | {"DOCKER_HOST": "unix:///nowhere.sock"}
    target = LocalTarget(local.state, local.store, FakeFence(), environ)
    release, workload = engine.publish(local.store, shop, "1.0.0"), container_workload()
    with pytest.raises(MissingProgramError, match="no container engine") as caught:
        target.slots.start(release, Colour.GREEN, workload, epoch=1)
    assert "DOCKER_HOST" in caught.value.problem.next_step or "start" in caught.value.problem.next_step
    tiny: Workload = make_workload()
    target.slots.start(local.publish(shop, "0.9.0"), Colour.GREEN, tiny, epoch=1)
    local.wait_ready(shop, Colour.GREEN)


def containers(engine: EngineCase, service: str) -> int:
    return len(engine.engine.read_containers({"switchover.slot": f"{service}-blue"}))
