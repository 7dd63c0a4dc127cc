"""Fixtures for tests against GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.real_parts.github import Github


@pytest.fixture(scope="session")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Github]:
    """GitHub's stand-in behind Prism, one for all tests of the session."""
    # Every test run reads this file, and githubkit takes a while.
    from tests.real_parts.github import running_github  # noqa: PLC0415

    with running_github(tmp_path_factory.mktemp("github")) as running:
        yield running
