"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.container_fixtures import EngineCase, container_engine

# How long an example takes depends on the machine's other work: tests assert no times.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = [
    "tests.kube_fixtures",
    "tests.real_parts.verdaccio",
    "tests.npm_fixtures",
    "tests.real_parts.github_fixtures",
]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineCase]:
    """A container engine, or a skip that says why there is none."""
    with container_engine(tmp_path_factory.mktemp("engine")) as case:
        yield case
