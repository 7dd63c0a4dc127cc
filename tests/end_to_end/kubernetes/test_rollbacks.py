"""People take a service back, at every bad moment, on the real cluster; no Prefect is anywhere near."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from switchover.adapters.waiting import wait_until
from switchover.decide.rollback import Way
from switchover.errors import FencedError
from switchover.model import Phase, Route
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.operators import (
    assert_has_configuration,
    patch_route,
    read_migrations,
    read_sizes,
    scale,
    set_configuration,
    take_back,
)
from tests.end_to_end.kubernetes.project import SERVICE, Shop
from tests.end_to_end.kubernetes.timeline import Timeline

pytestmark = pytest.mark.cluster

OWN_WORK_SECONDS = 1.0
CONFIRMED_SECONDS = 5.0
REDEPLOY_SECONDS = 120.0
# With the start of a process in front: on two busy processors Python alone may take some seconds.
PROCESS_SECONDS = 15.0
MIGRATIONS = """
[services.shop.migrations]
expand = ["/app", "migrate", "expand", "{version}"]
contract = ["/app", "migrate", "contract", "{version}"]
down = ["/app", "migrate", "down", "{version}"]
irreversible = {irreversible}
timeout_seconds = 30
"""


@pytest.fixture(scope="module")
def house(make_shop: NewShop) -> Shop:
    """Three releases were live one after the other, each with a configuration of its own; the last one is."""
    shop = make_shop(bake_seconds=0)
    for number in range(1, 6):
        shop.publish(f"1.{number}.0")
    for number in (1, 2, 3):
        set_configuration(shop, f"of 1.{number}.0")
        attempt = shop.deploy(f"1.{number}.0")
        assert attempt.error is None, attempt.message
    return shop


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    """Release 1.3.0 is live, with all that it was live with."""
    if house.record.rollout is not None:
        take_back(house)  # a test before this one has failed
    if house.live_version != "1.3.0":
        take_back(house, "1.3.0")
    before = dict(house.settings)
    yield house
    house.configure(**before)


def test_back_to_the_warm_colour_is_one_weight_change(shop: Shop) -> None:
    shop.configure(bake_seconds=60)
    timeline = Timeline()
    with shop.users() as users, shop.deploying("1.4.0") as deployment:
        rollout = shop.await_phase(Phase.BAKING)
        users.await_more(100)
        began = time.time()
        plan, entry = take_back(shop, timeline=timeline)
        users.await_more(100)
    written, confirmed = timeline.first("set_route"), timeline.first("confirm_route")
    assert written is not None
    assert confirmed is not None
    last_bad = users.last_from(rollout.new_colour) - began
    note_figures(
        "rollback to the warm colour in the bake",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        decided_and_accepted_seconds=written.ended - began,
        confirmed_seconds=confirmed.ended - began,
        last_answer_of_the_bad_colour_seconds=last_bad,
        idle_colour_empty_seconds=max(moment.ended for moment in timeline.moments) - began,
    )
    assert plan.way is Way.RETREAT
    assert entry is not None
    assert entry.outcome == Phase.ROLLED_BACK.value
    assert written.ended - began < OWN_WORK_SECONDS
    assert confirmed.ended - began < CONFIRMED_SECONDS
    assert last_bad < CONFIRMED_SECONDS
    assert users.failure_counts == {}
    attempt = deployment.result()
    assert isinstance(attempt.error, FencedError), attempt.message
    assert attempt.entry is None, "the deployer left it to the person"
    shop.assert_one_healthy_colour("1.3.0")


def test_to_an_older_version_by_digest_with_its_configuration_and_twice_in_a_row(shop: Shop) -> None:
    set_configuration(shop, "of nobody yet")
    with shop.users() as users:
        for number, expected in ((1, "1.2.0"), (2, "1.1.0")):
            began, requests = time.time(), users.requests
            done = shop.switchover("rollback", SERVICE, "--json")
            seconds = time.time() - began
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["plan"]["way"] == Way.REDEPLOY
            users.await_more(50)
            note_figures(
                f"rollback by digest to an older version, {number}",
                requests=users.requests - requests,
                failed=len(users.failures),
                rollback_seconds=seconds,
            )
            assert seconds < REDEPLOY_SECONDS
            assert_has_configuration(shop, f"of {expected}")
            shop.assert_one_healthy_colour(expected)
    assert users.failure_counts == {}
    history = shop.ports.ledger.read_history(SERVICE)
    first = next(entry for entry in reversed(history) if entry.to_version == "1.1.0")
    again = history[0]
    assert again.kind == "rollback"
    assert (again.release, again.workload) == (first.release, first.workload)
    pods = shop.pods(shop.live)
    assert again.release is not None
    assert {pod["spec"]["containers"][0]["image"].rpartition("@")[2] for pod in pods} == {again.release.artifact.digest}


def test_what_is_live_already_is_left_alone(shop: Shop) -> None:
    before = shop.ports.ledger.read()
    pods = {pod["metadata"]["name"] for pod in shop.pods(shop.live)}
    done = shop.switchover("rollback", SERVICE, "v1.3.0", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"]["way"] == Way.NOTHING
    assert shop.ports.ledger.read() == before
    assert {pod["metadata"]["name"] for pod in shop.pods(shop.live)} == pods


def test_a_colour_that_was_made_larger_is_met_at_its_size_and_its_bounds_come_back(shop: Shop) -> None:
    shop.configure(bake_seconds=60)
    scale(shop, shop.live, 4)
    try:
        with shop.users() as users, shop.deploying("1.4.0"):
            rollout = shop.await_phase(Phase.BAKING)
            old, new = rollout.new_colour.other, rollout.new_colour
            assert (read_sizes(shop, old), read_sizes(shop, new)) == ((4, 4, 5), (4, 4, 5))
            take_back(shop)
        assert read_sizes(shop, old) == (4, 2, 5)
        assert read_sizes(shop, new)[0] == 0
    finally:
        scale(shop, shop.live, 2)
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour("1.3.0")


def test_with_the_pods_of_the_bad_colour_gone(shop: Shop) -> None:
    shop.configure(strategy="canary-50", hold_seconds=60)
    with shop.users() as users, shop.deploying("1.4.0") as deployment:
        rollout = shop.await_phase(Phase.SHIFTING)
        assert wait_until(lambda: shop.ports.router.read_route(SERVICE) == Route.giving(rollout.new_colour, 50), 10.0)
        users.await_more(100)
        shop.cluster.kubectl(
            *("delete", "pods", "--namespace", shop.namespace, "--force", "--grace-period=0", "--wait=false"),
            *("--selector", f"switchover.dev/colour={rollout.new_colour}"),
        )
        began = time.time()
        _, entry = take_back(shop)
        users.await_more(100)
    note_figures(
        "rollback with the pods of the bad colour gone",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        rollback_seconds=users.last_from(rollout.new_colour) - began,
    )
    assert entry is not None
    assert entry.outcome == Phase.ROLLED_BACK.value
    assert isinstance(deployment.result().error, FencedError)
    # Nobody is hurt but those who were sent to the pods that somebody killed, and only until the weights are back.
    assert {answer.colour for answer in users.failures} <= {str(rollout.new_colour)}
    assert all(began - 2 < answer.at < began + CONFIRMED_SECONDS for answer in users.failures)
    shop.assert_one_healthy_colour("1.3.0")


def test_with_a_route_that_is_not_accepted(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.configure(bake_seconds=60)
    nowhere = {"namespace": shop.cluster.gateway_namespace, "name": "nowhere"}
    with shop.users() as users, shop.deploying("1.4.0") as deployment:
        rollout = shop.await_phase(Phase.BAKING)
        patch_route(shop, [{"op": "add", "path": "/spec/parentRefs/-", "value": nowhere}])
        try:
            began = time.time()
            _, entry = take_back(shop)
            seconds = time.time() - began
        finally:
            patch_route(shop, [{"op": "remove", "path": "/spec/parentRefs/1"}])
        users.await_more(50)
    note_figures(
        "rollback with a route that is not accepted",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        rollback_seconds=users.last_from(rollout.new_colour) - began,
        until_it_was_certain_seconds=seconds,
    )
    assert "although the route of shop is not accepted" in caplog.text
    assert users.last_from(rollout.new_colour) - began < CONFIRMED_SECONDS
    assert users.failure_counts == {}
    assert entry is not None
    assert entry.outcome == Phase.ROLLED_BACK.value
    assert isinstance(deployment.result().error, FencedError)
    shop.assert_one_healthy_colour("1.3.0")


def test_beside_a_broken_configuration_and_a_prefect_that_does_not_answer(shop: Shop) -> None:
    shop.configure(bake_seconds=60)
    with shop.users() as users, shop.deploying("1.4.0") as deployment:
        rollout = shop.await_phase(Phase.BAKING)
        (shop.root / "switchover.toml").write_text("[services.shop\n", encoding="utf-8")
        began = time.time()
        done = shop.switchover("rollback", SERVICE, "--yes", PREFECT_API_URL="http://127.0.0.1:9/api")
        seconds = time.time() - began
        users.await_more(50)
    note_figures(
        "`switchover rollback` beside a broken switchover.toml, without Prefect",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        process_seconds=seconds,
        rollback_seconds=users.last_from(rollout.new_colour) - began,
    )
    assert done.returncode == 0, done.stderr
    assert "warning: going on with what" in done.stderr
    assert "Prefect was not told" in done.stderr
    assert users.failure_counts == {}
    assert users.last_from(rollout.new_colour) - began < PROCESS_SECONDS
    assert isinstance(deployment.result().error, FencedError)
    shop.assert_one_healthy_colour("1.3.0")


def test_down_migrations_come_first_and_those_without_a_way_back_take_a_word(shop: Shop) -> None:
    shop.configure(migrations=MIGRATIONS.format(version="1.4.0", irreversible="false"))
    assert shop.deploy("1.4.0").error is None
    shop.configure(migrations=MIGRATIONS.format(version="1.5.0", irreversible="true"))
    assert shop.deploy("1.5.0").error is None
    assert read_migrations(shop) == [
        ("1.4.0", "expand 1.4.0"),
        ("1.4.0", "contract 1.4.0"),
        ("1.5.0", "expand 1.5.0"),
        ("1.5.0", "contract 1.5.0"),
    ]
    with shop.users() as users:
        refused = shop.switchover("rollback", SERVICE, "1.3.0", "--yes")
        assert refused.returncode == 2, refused.stderr
        assert "what 1.5.0 migrated is declared irreversible" in refused.stderr
        assert shop.live_version == "1.5.0"
        assert len(read_migrations(shop)) == 4
        began = time.time()
        done = shop.switchover("rollback", SERVICE, "1.3.0", "--yes", "--accept-irreversible")
        seconds = time.time() - began
    note_figures(
        "rollback through two down migrations",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        rollback_seconds=seconds,
    )
    assert done.returncode == 0, done.stderr
    assert seconds < REDEPLOY_SECONDS
    assert users.failure_counts == {}
    assert read_migrations(shop)[4:] == [("1.5.0", "down 1.5.0"), ("1.4.0", "down 1.4.0")]
    shop.assert_one_healthy_colour("1.3.0")
