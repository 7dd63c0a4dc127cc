"""One real Prefect server for the session, started when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from tests.prefect.house import House, open_house
from tests.prefect.server import PrefectServer, shared_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker does all of these: the processes of two at a time would wait for each other."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("prefect"))


class OpenHouse(Protocol):
    """Opens a house on the session's server."""

    def __call__(
        self,
        *,
        hold_seconds: float = ...,
        lease_seconds: float = ...,
        secrets: str = ...,
        approval_seconds: float | None = ...,
    ) -> AbstractContextManager[House]: ...


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    own = tmp_path_factory.getbasetemp()
    # Every worker of pytest-xdist has a folder of its own below a common one.
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with shared_server(common / "prefect-server") as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, prefect_server: PrefectServer) -> Iterator[House]:
    with open_house(tmp_path / "project", prefect_server) as opened:
        yield opened


@pytest.fixture
def open_house_with(tmp_path: Path, prefect_server: PrefectServer) -> OpenHouse:
    def open_it(
        *,
        hold_seconds: float = 300,
        lease_seconds: float = 120,
        secrets: str = "",
        approval_seconds: float | None = None,
    ) -> AbstractContextManager[House]:
        return open_house(
            tmp_path / "project",
            prefect_server,
            hold_seconds=hold_seconds,
            lease_seconds=lease_seconds,
            secrets=secrets,
            approval_seconds=approval_seconds,
        )

    return open_it
