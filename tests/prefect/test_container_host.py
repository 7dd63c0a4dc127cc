"""The block of Prefect Docker that says where an environment's engine is."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_docker import DockerHost

from blocks.container_host import open_container_host
from tests.container_fixtures import EngineCase
from tests.prefect.server import PrefectServer

pytestmark = pytest.mark.prefect


def test_a_saved_block_leads_to_its_engine(prefect_server: PrefectServer, engine: EngineCase) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        DockerHost(base_url=engine.address).save("switchover-boxes", overwrite=True)
        assert open_container_host("switchover-boxes").ping()


def test_without_a_block_or_a_server_the_engine_of_the_environment_counts(
    prefect_server: PrefectServer, engine: EngineCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    for url in (prefect_server.url, "http://127.0.0.1:9/api"):
        with temporary_settings({PREFECT_API_URL: url}):
            assert open_container_host("switchover-nobody-saved-it").ping()
