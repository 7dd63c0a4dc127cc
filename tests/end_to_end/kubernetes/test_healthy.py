"""Twenty healthy releases one after the other under constant load: nobody notices."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from switchover.model import Colour, Phase
from tests.end_to_end.kubernetes.attempt import Attempt
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.operators import assert_has_configuration, set_configuration
from tests.end_to_end.kubernetes.project import Shop
from tests.end_to_end.kubernetes.users import Users

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SWITCHES = 20
STRATEGIES = ("canary-10", "instant", "canary-50", "canary-90")
FIRST, LAST = "1.0.0", f"1.0.{SWITCHES}"


@dataclass(frozen=True, slots=True)
class Series:
    """All switches, and what the users got meanwhile."""

    shop: Shop
    attempts: tuple[Attempt, ...]
    users: Users


@pytest.fixture(scope="module")
def series(make_shop: NewShop) -> Series:
    shop = make_shop(hold_seconds=1, bake_seconds=1)
    for number in range(SWITCHES + 1):
        shop.publish(f"1.0.{number}")
    first = shop.deploy(FIRST)
    assert first.error is None, first.message
    with shop.users() as users:
        attempts = tuple(switch(shop, number) for number in range(1, SWITCHES + 1))
        users.await_more(200)
    return Series(shop, attempts, users)


def switch(shop: Shop, number: int) -> Attempt:
    """Each release has a configuration of its own."""
    set_configuration(shop, f"of 1.0.{number}")
    return shop.deploy(f"1.0.{number}", STRATEGIES[number % len(STRATEGIES)])


def test_twenty_switches_lose_no_request(series: Series) -> None:
    users = series.users
    note_figures(
        "twenty healthy switches under load",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        over_one_second=len(users.slower_than(1.0)),
        slowest_seconds=max(answer.seconds for answer in users.answers),
        switches=len(series.attempts),
        seconds_per_switch=[round(attempt.ended - attempt.began, 1) for attempt in series.attempts],
    )
    assert [attempt.message for attempt in series.attempts if attempt.error] == []
    assert users.failure_counts == {}
    assert users.requests > 100 * SWITCHES
    assert {answer.connection for answer in users.answers} == {"kept", "fresh"}


def test_the_colours_take_turns_and_every_one_had_users(series: Series) -> None:
    colours = [attempt.colour for attempt in series.attempts]
    assert colours == [Colour.GREEN, Colour.BLUE] * (SWITCHES // 2)
    for attempt in series.attempts:
        assert attempt.exposed is not None
        served = [each for each in series.users.since(attempt.exposed) if each.at < attempt.ended]
        assert any(answer.colour == attempt.colour for answer in served)


def test_the_history_has_all_of_them(series: Series) -> None:
    history = series.shop.ports.ledger.read_history("shop", SWITCHES + 1)
    assert [entry.to_version for entry in history] == [f"1.0.{number}" for number in range(SWITCHES, -1, -1)]
    assert {entry.outcome for entry in history} == {Phase.LIVE.value}


def test_sizes_and_bounds_are_as_the_manifests_say(series: Series) -> None:
    shop = series.shop
    shop.assert_one_healthy_colour(LAST)
    live, idle = shop.live, shop.live.other
    assert shop.get("deployment", f"shop-{live}")["spec"]["replicas"] == 2
    assert shop.get("deployment", f"shop-{idle}")["spec"]["replicas"] == 0
    bounds = shop.get("horizontalpodautoscaler", f"shop-{live}")["spec"]
    assert (bounds["minReplicas"], bounds["maxReplicas"]) == (2, 5)
    budget = shop.get("poddisruptionbudget", f"shop-{live}")
    assert budget["spec"]["minAvailable"] == 1
    assert (budget["status"]["currentHealthy"], budget["status"]["disruptionsAllowed"]) == (2, 1)


def test_pods_mount_copies_and_those_of_the_last_ten_releases_are_kept(series: Series) -> None:
    shop = series.shop
    copies = shop.cluster.list(shop.namespace, "configmaps", "switchover.dev/copy")
    kept = {each["data"]["greeting"]: each["metadata"]["name"] for each in copies}
    # Ten that were live before the last switch, and the one that it brought.
    assert kept.keys() == {f"of 1.0.{number}" for number in range(SWITCHES - 10, SWITCHES + 1)}
    secrets = shop.cluster.list(shop.namespace, "secrets", "switchover.dev/copy")
    assert len(secrets) == len(kept)
    assert all(each["immutable"] for each in (*copies, *secrets))
    volumes = shop.get("deployment", f"shop-{shop.live}")["spec"]["template"]["spec"]["volumes"]
    mounted = {each.get("configMap", {}).get("name") or each["secret"]["secretName"] for each in volumes}
    assert mounted == {kept[f"of {LAST}"], *mounted & {each["metadata"]["name"] for each in secrets}}
    assert_has_configuration(shop, f"of {LAST}")


def test_the_image_goes_by_digest_and_pods_are_restricted(series: Series) -> None:
    shop = series.shop
    for pod in shop.pods(shop.live):
        (container,) = pod["spec"]["containers"]
        release = shop.record.slot(shop.live).release
        assert release is not None
        assert container["image"] == f"{shop.cluster.registry}/{shop.repository}@{release.artifact.digest}"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("colour", Colour)
def test_to_undo_the_rollout_of_one_colour_by_hand_does_no_harm(series: Series, colour: Colour) -> None:
    shop = series.shop
    before = shop.get("deployment", f"shop-{colour}")["spec"]
    with shop.users() as users:
        with pytest.raises(AssertionError, match="no rollout history found"):
            shop.cluster.kubectl("rollout", "undo", f"deployment/shop-{colour}", "--namespace", shop.namespace)
        users.await_more(100)
    assert users.failure_counts == {}
    assert shop.get("deployment", f"shop-{colour}")["spec"] == before
    shop.assert_one_healthy_colour(LAST)


def test_a_tester_sees_the_colour_of_the_header_and_users_do_not(series: Series) -> None:
    shop = series.shop
    assert shop.ask(headers={"x-switchover-colour": str(shop.live)})["version"] == LAST
    with pytest.raises(AssertionError, match="503"):
        shop.ask(headers={"x-switchover-colour": str(shop.live.other)})
