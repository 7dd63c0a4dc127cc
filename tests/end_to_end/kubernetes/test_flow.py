"""The flow `deploy` with a real Prefect server, on the real cluster: what the server, its hooks and blocks add."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchover.adapters.connect import connect
from switchover.config import load_config
from switchover.model import Colour, Phase, Route
from switchover.operations.environment import EnvironmentPorts
from tests.end_to_end.kubernetes.cluster import TestCluster
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.deployer import make_deployer
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.flow_house import FlowHouse, flow_house, save_block
from tests.end_to_end.kubernetes.meanwhile import await_closed, await_share
from tests.end_to_end.kubernetes.project import ENVIRONMENT, SERVICE, Shop
from tests.prefect.server import PrefectServer, start_server, stop_server

pytestmark = [pytest.mark.cluster, pytest.mark.prefect, pytest.mark.timeout(400)]

GOOD, NEXT, BAD, BROKEN = "1.0.0", "1.1.0", "2.0.0", "2.1.0"
SECOND = "second"
_WAVES = """
[environments.second]
target = "kubernetes"
strategy = "instant"
hold_seconds = 0
bake_seconds = 0

[environments.second.kubernetes]
namespace = "{namespace}"
data_plane = "{gateway}"

[environments.second.services.shop]

[waves.world]
environments = [["staging"], ["second"]]
"""


@pytest.fixture(scope="module")
def servers(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PrefectServer]]:
    """The newest is the one that is up, unless a test has stopped it."""
    del cluster  # without one nothing here is started
    started = [start_server(tmp_path_factory.mktemp("prefect"))]
    try:
        yield started
    finally:
        for each in started:
            stop_server(each)


@pytest.fixture
def server(servers: list[PrefectServer], tmp_path_factory: pytest.TempPathFactory) -> PrefectServer:
    if not servers[-1].is_up():
        servers.append(start_server(tmp_path_factory.mktemp("prefect")))
    return servers[-1]


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    shop = make_shop(strategy="canary-50", hold_seconds=1, bake_seconds=1)
    for version in (GOOD, NEXT):
        shop.publish(version)
    shop.publish(BAD, ERROR_RATE="0.5")
    shop.publish(BROKEN, SMOKE_FAILS="1")
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    before = dict(house.settings)
    yield house
    house.configure(**before)


def next_for(shop: Shop) -> tuple[str, str]:
    """The version that is live, and the other good one."""
    return shop.live_version, NEXT if shop.live_version == GOOD else GOOD


@pytest.fixture
def flows(shop: Shop, server: PrefectServer, tmp_path: Path) -> Iterator[FlowHouse]:
    with flow_house(tmp_path, server, shop) as opened:
        yield opened


def hold(flows: FlowHouse, seconds: int) -> None:
    """Let each step be watched for so long."""
    file = Path(flows.file)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("hold_seconds = 1\n", f"hold_seconds = {seconds}\n"), encoding="utf-8")


def reasons_of(shop: Shop) -> str:
    (entry,) = shop.ports.ledger.read_history(SERVICE, 1)
    return "; ".join([entry.outcome, *(reason.message for reason in entry.reasons)])


def test_a_good_release_goes_live_with_the_credentials_of_the_block(shop: Shop, flows: FlowHouse) -> None:
    _, new = next_for(shop)
    assert "kubeconfig" not in Path(flows.file).read_text(encoding="utf-8")
    with shop.users() as users:
        status = flows.deploy(new, "canary-50")
    note_figures("the flow: a good release", requests=users.requests, failed=len(users.failures))
    assert status == 0, flows.log(f"deploy-{new}")[-4000:]
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new)


def test_a_bad_release_is_taken_back_by_the_hook(shop: Shop, flows: FlowHouse) -> None:
    old = shop.live_version
    with shop.users() as users:
        status = flows.deploy(BAD, "canary-50")
        await_closed(shop)
    note_figures("the flow: a bad release, its hook", requests=users.requests, failed=len(users.failures))
    assert status != 0
    assert reasons_of(shop).startswith(Phase.ROLLED_BACK.value)
    assert "the deployment ended as failed" in reasons_of(shop)
    assert {(each.status, each.colour) for each in users.failures} <= {("500", str(shop.live.other))}
    shop.assert_one_healthy_colour(old)


def test_a_deployment_that_is_cancelled_is_taken_back_by_the_hook(shop: Shop, flows: FlowHouse) -> None:
    old, new = next_for(shop)
    hold(flows, 120)
    flows.serve_deploy()
    with shop.users() as users:
        run = flows.order_deploy(new, "canary-50")
        await_share(shop, 50)
        users.await_more(100)
        flows.cancel(run)
        await_closed(shop)
        users.await_more(100)
    note_figures("the flow: cancelled at 50 %", requests=users.requests, failed=len(users.failures))
    assert flows.await_end(run) == "CANCELLED"
    assert "the deployment ended as cancel" in reasons_of(shop)
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(old)


def test_the_flow_outlives_an_api_server_that_dies_in_mid_shift(shop: Shop, flows: FlowHouse) -> None:
    old, new = next_for(shop)
    hold(flows, 5)
    with shop.users() as users:
        process = flows.start_deploy(new, "canary-50")
        await_share(shop, 50)
        shop.cluster.control("kill", "kube-apiserver")
        shop.cluster.control("start", "kube-apiserver")
        status = process.wait(150)
        await_closed(shop)
    note_figures(
        "the flow: the API server killed and started in mid-shift",
        requests=users.requests,
        failed=len(users.failures),
        came_live=status == 0,
        said=reasons_of(shop),
    )
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new if status == 0 else old)


def test_waves_walk_through_two_namespaces_and_stop_at_the_first_bad_one(
    shop: Shop, flows: FlowHouse, make_shop: NewShop
) -> None:
    _, new = next_for(shop)
    beside = make_shop()
    home = f"{beside.namespace}-deployer"
    account = make_deployer(shop.cluster, beside.root, beside.namespace, SECOND, home)
    save_block(flows.server, SECOND, account)
    file = Path(flows.file)
    text = file.read_text(encoding="utf-8").replace("hold_seconds = 1\n", "hold_seconds = 0\n")
    text = text.replace("bake_seconds = 1\n", "bake_seconds = 0\n")
    file.write_text(text + _WAVES.format(namespace=beside.namespace, gateway=shop.cluster.gateway))
    second = connect_second(flows, account, shop)
    assert flows.deploy_waves(new, "world") == 0, flows.log(f"waves-{new}")[-4000:]
    shop.assert_one_healthy_colour(new)
    assert version_in(second) == new
    assert beside.ask()["version"] == new
    assert flows.deploy_waves(BROKEN, "world") != 0
    shop.assert_one_healthy_colour(new)
    assert reasons_of(shop).startswith(Phase.ROLLED_BACK.value)
    assert [entry.to_version for entry in second.ledger.read_history(SERVICE)] == [new]
    assert version_in(second) == new


def connect_second(flows: FlowHouse, account: Path, shop: Shop) -> EnvironmentPorts:
    """The second environment as its own account sees it."""
    config = load_config(flows.folder)
    return connect(config, SECOND, start=False, environ={**shop.environ, "KUBECONFIG": str(account)})


def version_in(ports: EnvironmentPorts) -> str | None:
    record = ports.ledger.read().services[SERVICE]
    assert record.live is Colour.BLUE
    assert ports.router.read_route(SERVICE) == Route(100, 0)
    release = record.blue.release
    return release.version if release else None


def test_a_rollback_needs_no_server_even_where_the_flow_still_runs(
    shop: Shop, flows: FlowHouse, server: PrefectServer
) -> None:
    old, new = next_for(shop)
    hold(flows, 120)
    with shop.users() as users:
        process = flows.start_deploy(new, "canary-50")
        await_share(shop, 50)
        stop_server(server)
        assert not server.is_up()
        done = shop.switchover("rollback", SERVICE, "-e", ENVIRONMENT, "--yes", PREFECT_API_URL=server.url)
        users.await_more(200)
        still_runs = process.poll() is None
    assert done.returncode == 0, done.stderr
    assert "Prefect was not told" in done.stderr
    note_figures(
        "rollback with the Prefect server gone in mid-shift",
        requests=users.requests,
        failed=len(users.failures),
        the_flow_still_ran=still_runs,
    )
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(old)
