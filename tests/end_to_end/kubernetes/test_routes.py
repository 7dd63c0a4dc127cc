"""The gateway's preview and its sticky sessions, and the ways of moving traffic that need no Gateway API."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from switchover.config import load_config
from switchover.errors import FencedError, TargetError
from switchover.model import Colour, Phase, Route
from switchover.operations.lease import acquire, release
from tests.end_to_end.kubernetes.conftest import NewShop
from tests.end_to_end.kubernetes.deployer import render_rights
from tests.end_to_end.kubernetes.doomed import Point
from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.kubernetes.meanwhile import await_share, await_true, entry_of
from tests.end_to_end.kubernetes.processes import start_deployer
from tests.end_to_end.kubernetes.project import ENVIRONMENT, SERVICE, Shop
from tests.end_to_end.kubernetes.users import asking

pytestmark = pytest.mark.cluster

GOOD, NEXT, NOISY = "1.0.0", "1.1.0", "2.0.0"
ASKS = Point("approving", "nothing", "after")
COLOUR_HEADER = "x-switchover-colour"
STABLE = "shop-stable"
# A node hears of a Service's new endpoints by itself, and pods that end still answer for a second. What is lost is
# what is on its way to a pod in the moment of its end: nothing was seen in any run, some is allowed for.
MOST_LOST_BY_A_SELECTOR = 5
_PROMETHEUS = "[environments.staging.kubernetes.prometheus]"
_JUDGE = "[environments.staging.judge]"


@pytest.fixture(scope="module")
def gateway_house(make_shop: NewShop) -> Shop:
    shop = make_shop(strategy="canary-50", hold_seconds=1, bake_seconds=1)
    for version in (GOOD, NEXT):
        shop.publish(version)
    assert shop.deploy(GOOD).error is None
    return shop


@pytest.fixture
def shop(gateway_house: Shop) -> Iterator[Shop]:
    before = dict(gateway_house.settings)
    yield gateway_house
    gateway_house.configure(**before)


def next_for(shop: Shop) -> tuple[str, str]:
    """The version that is live, and the other good one."""
    return shop.live_version, NEXT if shop.live_version == GOOD else GOOD


def test_a_tester_sees_the_idle_colour_by_a_header_until_a_person_approves_it(shop: Shop) -> None:
    live, (old, new) = shop.live, next_for(shop)
    with shop.users() as users:
        deployer = start_deployer(shop, new, ASKS)
        shop.await_phase(Phase.APPROVING)
        previewed = shop.ask(headers={COLOUR_HEADER: str(live.other)})
        same = shop.ask(headers={COLOUR_HEADER: str(live)})
        users.await_more(100)
        unseen = users.of(live.other)
        done = shop.switchover("approve", SERVICE, "-e", ENVIRONMENT, "--comment", "looks well")
        _, complained = deployer.communicate(timeout=60)
    assert (previewed["version"], same["version"]) == (new, old)
    assert unseen == ()
    assert done.returncode == 0, done.stderr
    assert deployer.returncode == 0, complained
    assert users.failure_counts == {}
    shop.assert_one_healthy_colour(new)
    (entry,) = shop.ports.ledger.read_history(SERVICE, 1)
    assert any("approved by" in reason.message and "looks well" in reason.message for reason in entry.reasons)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer through the gateway: its colour, and the cookie that it sets, empty: none."""

    colour: str
    cookie: str


def ask_as(shop: Shop, cookie: str = "") -> Answer:
    address, _, port = shop.cluster.gateway.rpartition(":")
    connection = http.client.HTTPConnection(address, int(port), timeout=10)
    try:
        connection.request("GET", "/", headers={"host": shop.host, **({"cookie": cookie} if cookie else {})})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == http.client.OK
    return Answer(answer.getheader(COLOUR_HEADER) or "", (answer.getheader("set-cookie") or "").partition(";")[0])


def test_a_sticky_cookie_is_set_honoured_and_means_nothing_after_a_rollback(shop: Shop) -> None:
    shop.configure(hold_seconds=60, placement="sticky = true")
    old, new = str(shop.live), str(shop.live.other)
    old_version, new_version = next_for(shop)
    with shop.users() as users, shop.deploying(new_version) as running:
        await_share(shop, 50)
        answers = [ask_as(shop) for _ in range(60)]
        cookie = next(answer.cookie for answer in answers if answer.cookie)
        with_cookie = Counter(ask_as(shop, f"theme=dark; {cookie}").colour for _ in range(40))
        done = shop.switchover("rollback", SERVICE, "-e", ENVIRONMENT, "--yes")
        attempt = running.result()
        after = {ask_as(shop, cookie) for _ in range(20)}
    assert {answer.colour for answer in answers} == {old, new}
    assert {answer.colour for answer in answers if answer.cookie} == {new}
    assert all(answer.cookie for answer in answers if answer.colour == new)
    assert with_cookie == {new: 40}
    assert done.returncode == 0, done.stderr
    assert isinstance(attempt.error, FencedError)
    assert after == {Answer(old, "")}
    assert len(shop.get("httproute", SERVICE)["spec"]["rules"]) == 3
    note_figures("sticky sessions and a rollback", requests=users.requests, failed=len(users.failures))
    assert users.failure_counts == {}
    shop.configure(placement="")
    shop.assert_one_healthy_colour(old_version)


def let_route(shop: Shop, component: str, objects: str, **settings: object) -> None:
    """Let this shop move its traffic in another way, with the rights for that, and with nobody who counts requests."""
    home = f"{shop.namespace}-deployer"
    shop.cluster.apply(shop.namespace, render_rights(shop.root, shop.namespace, ENVIRONMENT, home, component))
    shop.cluster.apply(shop.namespace, objects)
    shop.configure(**settings)
    file = shop.root / "switchover.toml"
    text = file.read_text(encoding="utf-8")
    before, _, counting = text.partition(_PROMETHEUS)
    file.write_text(before + _JUDGE + counting.partition(_JUDGE)[2], encoding="utf-8")
    shop.config = load_config(shop.root)
    shop.ports = shop.connect()


def publish_all(shop: Shop) -> None:
    for version in (GOOD, NEXT):
        shop.publish(version)
    shop.publish(NOISY, LOG_ERROR_RATE="0.5")


def assert_live(shop: Shop, version: str) -> None:
    """By the word of the ledger, of the route and of the pods."""
    assert shop.live_version == version
    assert shop.record.rollout is None
    assert shop.ports.router.read_route(SERVICE) == Route.giving(shop.live, 100)
    assert shop.ports.slots.read_status(SERVICE, shop.live).ready
    assert shop.ports.slots.read_status(SERVICE, shop.live.other).wanted_replicas == 0


def test_a_plain_service_switches_at_once_and_back_under_load(make_shop: NewShop) -> None:
    shop = make_shop(bake_seconds=5)
    publish_all(shop)
    stable = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": STABLE},
        "spec": {
            "selector": {"switchover.dev/service": SERVICE, "switchover.dev/colour": "blue"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }
    shop.cluster.apply(shop.namespace, yaml.safe_dump(stable))
    address = f"{shop.get('service', STABLE)['spec']['clusterIP']}:80"
    let_route(
        shop,
        "stable-service",
        yaml.safe_dump(stable),
        kubernetes='route = "service"',
        placement=f'route = "{STABLE}"',
        gateway=address,
    )
    assert shop.deploy(GOOD).error is None
    with asking(address, shop.host, shop.root / "service-users.jsonl") as users:
        good = shop.deploy(NEXT)
        users.await_more(100)
        bad = shop.deploy(NOISY)
        users.await_more(100)
    assert good.error is None, good.message
    assert good.exposed is not None
    assert entry_of(bad).outcome == Phase.ROLLED_BACK.value
    assert "error log lines" in bad.message or "log lines" in bad.message
    last_of_old = max(each.at for each in users.of(Colour.BLUE) if each.at < bad.began)
    note_figures(
        "a plain Service switched and taken back, users on its cluster address",
        requests=users.requests,
        failed=len(users.failures),
        failures=users.failure_counts,
        old_colour_answered_for_seconds_after_the_switch=last_of_old - good.exposed,
        back_after_seconds=bad.rollback_seconds,
    )
    assert {each.connection for each in users.answers} == {"kept", "fresh"}
    assert len(users.failures) <= MOST_LOST_BY_A_SELECTOR, users.failure_counts
    assert_live(shop, NEXT)


def test_the_pair_of_ingresses_carries_every_split_and_its_rollback(make_shop: NewShop) -> None:
    """The objects alone: no controller of theirs is in this cluster."""
    shop = make_shop(bake_seconds=5)
    publish_all(shop)
    ingresses = [
        ingress(shop, "shop", "shop-blue", {"service-upstream": "true"}),
        ingress(shop, "shop-canary", "shop-green", {"canary": "true", "canary-weight": "0"}),
    ]
    let_route(
        shop,
        "ingress-nginx",
        yaml.safe_dump_all(ingresses),
        kubernetes='route = "ingress-nginx"\nconfirm = "control plane"',
    )
    assert shop.deploy(GOOD).error is None
    primary = shop.get("ingress", "shop")
    assert weight_of(shop) == "0"
    assert shop.deploy(NEXT).error is None
    assert weight_of(shop) == "100"
    with shop.deploying(NOISY) as running:
        await_true(lambda: weight_of(shop) == "0", "the canary to lose its weight")
        address = f"{shop.get('service', 'shop-blue')['spec']['clusterIP']}:80"
        with asking(address, shop.host, shop.root / "ingress-users.jsonl"):
            bad = running.result()
    assert entry_of(bad).outcome == Phase.ROLLED_BACK.value
    assert weight_of(shop) == "100"
    claim = acquire(shop.ports, "the test", 60.0)
    with pytest.raises(TargetError, match="blue of shop cannot take 10 %"):
        shop.ports.router.set_route(SERVICE, Route(10, 90), epoch=claim.epoch)
    shop.cluster.kubectl("scale", "deployment/shop-blue", "-n", shop.namespace, "--replicas", "1")
    await_true(lambda: shop.ports.slots.read_status(SERVICE, Colour.BLUE).ready, "blue to be ready")
    for percent in (10, 50, 90, 0):
        shop.ports.router.set_route(SERVICE, Route(percent, 100 - percent), epoch=claim.epoch)
        assert weight_of(shop) == str(100 - percent)
    shop.ports.slots.stop(SERVICE, Colour.BLUE, epoch=claim.epoch)
    release(shop.ports, claim)
    assert_live(shop, NEXT)
    after = shop.get("ingress", "shop")
    assert after["spec"] == primary["spec"]


def ingress(shop: Shop, name: str, backend: str, annotations: dict[str, str]) -> dict[str, object]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"name": "http"}}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "annotations": {f"nginx.ingress.kubernetes.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {"ingressClassName": "nginx", "rules": [{"host": shop.host, "http": {"paths": [path]}}]},
    }


def weight_of(shop: Shop) -> str:
    return str(
        shop.get("ingress", "shop-canary")["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]
    )
