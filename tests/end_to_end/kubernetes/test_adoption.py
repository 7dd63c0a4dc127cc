"""A Deployment that serves already, and that no ledger knows, becomes the live colour of the first deployment."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from switchover.model import Colour, Phase, Route
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.meanwhile import entry_of
from tests.end_to_end.kubernetes.project import SERVICE, Shop

pytestmark = pytest.mark.cluster

ADOPTED, NEXT, BAD = "0.9.0", "1.0.0", "2.0.0"


@pytest.fixture(scope="module")
def shop(make_shop: NewShop) -> Shop:
    """Blue was applied by hand; switchover has never been here."""
    shop = make_shop(hold_seconds=1, bake_seconds=1)
    for version in (ADOPTED, NEXT):
        shop.publish(version)
    shop.publish(BAD, ERROR_RATE="0.5")
    shop.cluster.apply(shop.namespace, yaml.safe_dump(deployment_by_hand(shop)))
    shop.cluster.kubectl("rollout", "status", "deployment/shop-blue", "--namespace", shop.namespace, "--timeout", "60s")
    return shop


def deployment_by_hand(shop: Shop) -> dict[str, Any]:
    """The Deployment of the manifests under the name and with the labels of blue, by tag."""
    documents = yaml.safe_load_all((shop.root / "manifests" / "workload.yaml").read_text(encoding="utf-8"))
    made: dict[str, Any] = copy.deepcopy(next(each for each in documents if each["kind"] == "Deployment"))
    labels = {"switchover.dev/service": SERVICE, "switchover.dev/colour": "blue"}
    made["metadata"]["name"] = "shop-blue"
    made["spec"] |= {"replicas": 3, "selector": {"matchLabels": labels}}
    made["spec"]["template"]["metadata"]["labels"] |= labels
    made["spec"]["template"]["spec"]["containers"][0]["image"] += f":{ADOPTED}"
    return made


def test_what_serves_already_is_live_and_a_bad_first_release_gives_it_its_users_back(shop: Shop) -> None:
    plan = shop.plan(BAD)
    assert (plan.adopts, plan.old_colour, plan.new_colour) == (True, Colour.BLUE, Colour.GREEN)
    with shop.users() as users:
        attempt = shop.deploy(BAD, "canary-50")
        users.await_more(50)
    note_figures("a bad release beside an adopted one", requests=users.requests, failed=len(users.failures))
    assert entry_of(attempt).outcome == Phase.ROLLED_BACK.value
    assert {(answer.status, answer.colour) for answer in users.failures} <= {("500", "green")}
    assert shop.ports.router.read_route(SERVICE) == Route(100, 0)
    assert shop.record.rollout is None
    assert shop.get("deployment", "shop-blue")["spec"]["replicas"] == 3
    assert shop.ask()["version"] == ADOPTED


def test_the_next_good_release_takes_over_without_a_lost_request(shop: Shop) -> None:
    with shop.users() as users:
        attempt = shop.deploy(NEXT, "canary-50")
    note_figures("a good release beside an adopted one", requests=users.requests, failed=len(users.failures))
    assert attempt.error is None, attempt.message
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(NEXT)
    assert shop.live is Colour.GREEN
