"""What else goes wrong while a release comes live: two who deploy, a canary without users, hands on the objects."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from switchover.errors import BusyError, InputError
from switchover.model import Phase, Route
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.doomed import Point
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.meanwhile import await_share, bring_live_unwatched, entry_of
from tests.end_to_end.kubernetes.processes import start_deployer
from tests.end_to_end.kubernetes.project import SERVICE, Shop

pytestmark = pytest.mark.cluster

GOOD, NEXT, THIRD, BAD = "1.0.0", "1.1.0", "1.2.0", "2.0.0"
ASKS = Point("approving", "nothing", "after")
# All pods of a colour that has half of the traffic go at once; the next ones are ready within seconds.
MOST_WHILE_PODS_ARE_GONE = 0.5


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    shop = make_shop(hold_seconds=1, bake_seconds=1)
    for version in (GOOD, NEXT, THIRD):
        shop.publish(version)
    shop.publish(BAD, ERROR_RATE="0.5")
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    """A good release is live; settings that a test changes are put back."""
    before = dict(house.settings)
    yield house
    house.configure(**before)


def next_for(shop: Shop) -> tuple[str, str]:
    """The version that is live, and the other good one."""
    return shop.live_version, NEXT if shop.live_version == GOOD else GOOD


def test_of_two_deployments_at_once_the_second_is_refused_and_the_first_goes_on(shop: Shop) -> None:
    _, new = next_for(shop)
    shop.configure(hold_seconds=4)
    with shop.users() as users, shop.deploying(new, "canary-50") as first:
        await_share(shop, 50)
        with pytest.raises(BusyError, match=f"deploy of {SERVICE} {new}"):
            shop.deploy(THIRD)
        attempt = first.result()
    note_figures("two deployments at once", requests=users.requests, failed=len(users.failures))
    assert attempt.error is None, attempt.message
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new)


def test_a_rollback_while_approval_is_pending_ends_the_question_and_touches_no_user(shop: Shop) -> None:
    old, new = next_for(shop)
    with shop.users() as users:
        deployer = start_deployer(shop, new, ASKS)
        shop.await_phase(Phase.APPROVING)
        done = shop.switchover("rollback", SERVICE, "-e", "staging", "--yes")
        _, complained = deployer.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    assert deployer.returncode != 0
    assert "no longer owns staging" in complained
    late = shop.switchover("approve", SERVICE, "-e", "staging")
    assert late.returncode == 2
    assert "does not wait for an approval" in late.stderr
    note_figures("rollback while approval is pending", requests=users.requests, failed=len(users.failures))
    assert users.failure_counts == {}
    assert users.of(shop.live.other) == ()
    shop.assert_one_healthy_colour(old)


def test_a_canary_without_users_is_taken_back_for_want_of_data(shop: Shop) -> None:
    old, new = next_for(shop)
    shop.configure(no_data_seconds=4)
    attempt = shop.deploy(new, "canary-10")
    note_figures("a canary without users", taken_back=attempt.error is not None, reason=attempt.message)
    assert entry_of(attempt).outcome == Phase.ROLLED_BACK.value
    assert "no-data" in {reason.rule for reason in entry_of(attempt).reasons}, attempt.message
    assert "are needed" in attempt.message or "no canary request" in attempt.message
    shop.assert_one_healthy_colour(old)


def test_all_pods_of_the_canary_deleted_in_mid_shift_end_on_one_healthy_colour(shop: Shop) -> None:
    old, new = next_for(shop)
    shop.configure(hold_seconds=6)
    with shop.users() as users, shop.deploying(new, "canary-50") as running:
        await_share(shop, 50)
        users.await_more(100)
        shop.cluster.kubectl(
            *("delete", "pods", "--namespace", shop.namespace, "--wait=false"),
            *("--selector", f"switchover.dev/colour={shop.live.other}"),
        )
        attempt = running.result()
    note_figures(
        "all pods of the canary deleted at 50 %",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        outcome=entry_of(attempt).outcome,
    )
    shop.assert_one_healthy_colour(new if attempt.error is None else old)
    assert {(answer.kind, answer.status) for answer in users.failures} <= {("5xx", "503")}
    gone = [each for each in users.answers if users.failures and each.at <= users.failures[-1].at]
    gone = [each for each in gone if each.at >= users.failures[0].at]
    assert len(users.failures) <= max(1.0, len(gone) * (MOST_WHILE_PODS_ARE_GONE + 0.15))


def test_a_route_that_was_edited_by_hand_is_refused_with_what_to_do_until_it_is_put_right(shop: Shop) -> None:
    _, new = next_for(shop)
    live = shop.live
    set_weights_by_hand(shop, Route.giving(live, 70))
    try:
        with pytest.raises(InputError, match="somebody changed it by hand") as refused:
            shop.deploy(new)
        assert refused.value.problem.next_step == f"give {live} 100 % again, then repeat"
        assert shop.record.rollout is None
        assert shop.ports.ledger.read().lease is None
    finally:
        set_weights_by_hand(shop, Route.giving(live, 100))
    bring_live_unwatched(shop, new)
    shop.assert_one_healthy_colour(new)


def set_weights_by_hand(shop: Shop, route: Route) -> None:
    rule = shop.get("httproute", SERVICE)["spec"]["rules"][0]
    operations = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": percent}
        for place, ref in enumerate(rule["backendRefs"])
        for percent in [route.blue_percent if ref["name"] == "shop-blue" else route.green_percent]
    ]
    patch = json.dumps(operations)
    shop.cluster.kubectl("patch", "httproute", SERVICE, "-n", shop.namespace, "--type", "json", "--patch", patch)


def test_a_live_colour_that_was_scaled_up_is_matched_and_kept_and_its_bounds_come_back(shop: Shop) -> None:
    _, new = next_for(shop)
    shop.configure(hold_seconds=3)
    scale(shop, 3)
    with shop.users() as users, shop.deploying(new, "canary-50") as running:
        await_share(shop, 50)
        for colour in (shop.live, shop.live.other):
            assert shop.get("deployment", f"shop-{colour}")["spec"]["replicas"] == 3
            assert shop.get("hpa", f"shop-{colour}")["spec"]["minReplicas"] == 3
        scale(shop, 4)
        attempt = running.result()
    assert attempt.error is None, attempt.message
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new)
    bounds = shop.get("hpa", f"shop-{shop.live}")["spec"]
    assert (bounds["minReplicas"], bounds["maxReplicas"]) == (2, 5)


def test_a_rollback_gives_the_autoscaler_of_the_old_colour_its_bounds_back(shop: Shop) -> None:
    old = shop.live_version
    scale(shop, 4)
    with shop.users() as users:
        attempt = shop.deploy(BAD, "canary-50")
    note_figures("a bad release beside a scaled live colour", requests=users.requests, failed=len(users.failures))
    assert entry_of(attempt).outcome == Phase.ROLLED_BACK.value
    shop.assert_one_healthy_colour(old)
    live = shop.get("deployment", f"shop-{shop.live}")["spec"]
    assert live["replicas"] == 4
    bounds = shop.get("hpa", f"shop-{shop.live}")["spec"]
    assert (bounds["minReplicas"], bounds["maxReplicas"]) == (2, 5)


def scale(shop: Shop, replicas: int) -> None:
    name = f"deployment/shop-{shop.live}"
    shop.cluster.kubectl("scale", name, "--namespace", shop.namespace, "--replicas", str(replicas))
    shop.cluster.kubectl("rollout", "status", name, "--namespace", shop.namespace, "--timeout", "30s")
