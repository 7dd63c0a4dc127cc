from __future__ import annotations

import pytest

from tests.manifests.rendering import VARIANTS, Rendered, choose_route, copy_manifests, render


def render_all(factory: pytest.TempPathFactory, part: str) -> dict[tuple[str, str], Rendered]:
    found = {}
    for environment, route in VARIANTS:
        copy = copy_manifests(factory.mktemp(f"{part}-{environment}-{route}"))
        choose_route(copy, environment, route)
        found[environment, route] = render(copy, part, environment, route)
    return found


@pytest.fixture(scope="session")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Rendered]:
    return render_all(tmp_path_factory, "application")


@pytest.fixture(scope="session")
def deployers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Rendered]:
    return render_all(tmp_path_factory, "deployer")


@pytest.fixture(params=VARIANTS, ids="-".join)
def application(request: pytest.FixtureRequest, applications: dict[tuple[str, str], Rendered]) -> Rendered:
    return applications[request.param]


@pytest.fixture(params=VARIANTS, ids="-".join)
def deployer(request: pytest.FixtureRequest, deployers: dict[tuple[str, str], Rendered]) -> Rendered:
    return deployers[request.param]
