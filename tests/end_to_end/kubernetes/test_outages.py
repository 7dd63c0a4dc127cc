"""Parts of the cluster go down, and credentials run out, while a release comes live."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from switchover.adapters.kube_manifests import find_kubectl
from switchover.decide.http_routes import find_unaccepted
from switchover.model import Phase
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.deployer import ACCOUNT, write_kubeconfig
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.meanwhile import await_closed, await_share, await_true
from tests.end_to_end.kubernetes.processes import start_deployer, watchdog
from tests.end_to_end.kubernetes.project import SERVICE, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GOOD, NEXT = "1.0.0", "1.1.0"
_SHORT_LEASE = "lease_seconds = 5"
# How long an API server may go on believing a token that it has seen before.
_BELIEVED_SECONDS = 20.0
# Startup and readiness probes of the shop ask every second.
_PROBED_AGAIN_SECONDS = 10.0


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    shop = make_shop(strategy="canary-50", hold_seconds=4, bake_seconds=1)
    for version in (GOOD, NEXT):
        shop.publish(version)
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    """A good release is live; settings that a test changes are put back."""
    before = dict(house.settings)
    yield house
    house.configure(**before)


def next_for(shop: Shop) -> tuple[str, str]:
    """The version that is live, and the other one."""
    return shop.live_version, NEXT if shop.live_version == GOOD else GOOD


def test_an_api_server_that_dies_in_mid_shift_costs_no_user_anything(shop: Shop) -> None:
    _, new = next_for(shop)
    shop.configure(environment=_SHORT_LEASE)
    with shop.users() as users, watchdog(shop):
        deployer = start_deployer(shop, new)
        await_share(shop, 50)
        shop.cluster.control("kill", "kube-apiserver")
        died = time.time()
        users.await_more(300)
        shop.cluster.control("start", "kube-apiserver")
        deployer.communicate(timeout=120)
        await_closed(shop)
        closed = time.time()
        users.await_more(100)
    came_live = shop.live_version == new
    note_figures(
        "the API server killed and started in mid-shift, the deployer repeats nothing",
        requests=users.requests,
        failed=len(users.failures),
        came_live=came_live,
        seconds_until_ended=closed - died,
    )
    assert users.failure_counts == {}
    assert came_live == (deployer.returncode == 0)
    shop.assert_one_healthy_colour(shop.live_version)


def test_a_kubelet_that_restarts_in_mid_shift_leaves_one_healthy_colour(shop: Shop) -> None:
    """A kubelet that has just started takes the pods of its node for not ready until it has probed them again.

    With one node that is all pods of both colours, whatever they are deployed with: nobody serves for a moment.
    """
    shop.configure(hold_seconds=6)
    old, new = next_for(shop)
    with shop.users() as users, shop.deploying(new) as running:
        await_share(shop, 50)
        for part in ("kubelet", "kube-proxy"):
            shop.cluster.control("restart", part)
        attempt = running.result()
        users.await_more(100)
    failures = users.failures
    seconds = failures[-1].at - failures[0].at if failures else 0.0
    note_figures(
        "kubelet and kube-proxy of the only node restarted in mid-shift",
        requests=users.requests,
        failed=len(failures),
        failures=users.failure_counts,
        failed_for_seconds=seconds,
        came_live=attempt.error is None,
    )
    assert {answer.status for answer in failures} <= {"503"}
    assert seconds < _PROBED_AGAIN_SECONDS
    shop.assert_one_healthy_colour(new if attempt.error is None else old)


def test_a_route_that_is_accepted_and_not_followed_yet_is_not_believed(shop: Shop) -> None:
    """The gateway's controller restarts. It accepts the new weights, and its proxy hears of them only later.

    Whoever believed the status would stop the old colour while it still has all the users.
    """
    old_version, new_version = next_for(shop)
    shop.configure(strategy="instant", hold_seconds=0, bake_seconds=0)
    new = shop.live.other
    with shop.users() as users:
        shop.cluster.control("kill", "contour")
        try:
            with shop.deploying(new_version) as running:
                await_share(shop, 100)
                shop.cluster.control("start", "contour")
                accepted = await_accepted(shop)
        finally:
            if not is_contour_up(shop):
                shop.cluster.control("start", "contour")
        attempt = running.result()
        users.await_more(100)
    first = min((answer.at for answer in users.of(new)), default=None)
    note_figures(
        "the gateway's controller restarted during a shift",
        requests=users.requests,
        failed=len(users.failures),
        came_live=attempt.error is None,
        said=attempt.message,
        proxy_followed_seconds_after_the_status=None if first is None else first - accepted,
    )
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new_version if attempt.error is None else old_version)
    assert attempt.error is None or "does not follow its route" in attempt.message or "not accepted" in attempt.message


def await_accepted(shop: Shop) -> float:
    """When the status of the route spoke of its present generation."""

    def accepted() -> bool:
        route = shop.get("httproute", SERVICE)
        return not find_unaccepted(route, route["metadata"]["generation"])

    await_true(accepted, "the route to be accepted")
    return time.time()


def is_contour_up(shop: Shop) -> bool:
    route = shop.get("httproute", SERVICE)
    return not find_unaccepted(route, route["metadata"]["generation"])


def test_credentials_that_are_renewed_in_mid_flow_are_read_again(shop: Shop) -> None:
    _, new = next_for(shop)
    shop.configure(hold_seconds=12)
    with shop.users() as users, shop.deploying(new) as running:
        await_share(shop, 50)
        old = revoke(shop)
        renew(shop)
        await_true(lambda: is_refused(shop, old), "the old token to be refused", _BELIEVED_SECONDS)
        still_shifting = shop.record.rollout is not None
        attempt = running.result()
    note_figures("credentials renewed in mid-shift", requests=users.requests, failed=len(users.failures))
    assert still_shifting
    assert attempt.error is None, attempt.message
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new)


def test_credentials_that_ran_out_stop_a_deployment_and_the_watchdog_ends_it_once_they_are_renewed(shop: Shop) -> None:
    old, new = next_for(shop)
    shop.configure(hold_seconds=12, environment=_SHORT_LEASE)
    with shop.users() as users, watchdog(shop):
        deployer = start_deployer(shop, new)
        await_share(shop, 50)
        revoke(shop)
        _, complained = deployer.communicate(timeout=120)
        users.await_more(100)
        renew(shop)
        shop.configure()
        await_closed(shop)
        users.await_more(100)
    note_figures("credentials ran out in mid-shift", requests=users.requests, failed=len(users.failures))
    assert deployer.returncode != 0
    assert "renew the credentials" in complained
    assert users.failure_counts == {}
    (entry,) = shop.ports.ledger.read_history(SERVICE, 1)
    assert entry.outcome == Phase.ROLLED_BACK.value
    assert any("went silent" in reason.message for reason in entry.reasons)
    shop.assert_one_healthy_colour(old)


def home_of(shop: Shop) -> str:
    return f"{shop.namespace}-deployer"


def revoke(shop: Shop) -> str:
    """Make the account anew under the same name: its tokens are nobody's any more. A kubeconfig with the old one."""
    old = shop.root / "old.kubeconfig"
    old.write_text(shop.kubeconfig.read_text(encoding="utf-8"), encoding="utf-8")
    shop.cluster.kubectl("delete", "serviceaccount", ACCOUNT, "--namespace", home_of(shop))
    shop.cluster.kubectl("create", "serviceaccount", ACCOUNT, "--namespace", home_of(shop))
    return str(old)


def renew(shop: Shop) -> None:
    token = shop.cluster.kubectl("create", "token", ACCOUNT, "--namespace", home_of(shop)).strip()
    write_kubeconfig(shop.cluster, shop.kubeconfig, token)


def is_refused(shop: Shop, kubeconfig: str) -> bool:
    done = subprocess.run(
        [find_kubectl(), f"--kubeconfig={kubeconfig}", "get", "pods", "--namespace", shop.namespace],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode != 0 and "Unauthorized" in done.stderr + done.stdout
