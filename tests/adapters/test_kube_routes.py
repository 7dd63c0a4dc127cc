"""Routes on Kubernetes beyond the contract: what gateways refuse, say late, and what others do at the same time."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator

import pytest

from switchover.adapters.kube_kinds import ENDPOINT_SLICE, GATEWAY, HTTP_ROUTE, INGRESS, SERVICE
from switchover.adapters.kube_router import RoutedService, Sight
from switchover.adapters.route_kinds import ROUTE_KINDS, choose_router
from switchover.config_cluster import KubernetesConfig
from switchover.errors import FencedError, InputError, TargetError
from switchover.model import Colour, Route, Step
from tests.contracts.kube_case import KubeCase, kube_workload
from tests.contracts.kube_route_case import KubeRouteCase, kube_route_case
from tests.kube_emulator import KubeEmulator
from tests.kube_gateway import a_gateway, a_route, backends, ingresses
from tests.local_target_fixtures import ask

EPOCH = 1
CANARY = (Step(10, 1), Step(100, 1))


@pytest.fixture
def case(kube_emulator: KubeEmulator) -> Iterator[KubeRouteCase]:
    with kube_route_case(kube_emulator) as case:
        yield case


@pytest.fixture
def nginx(kube_emulator: KubeEmulator) -> Iterator[KubeRouteCase]:
    with kube_route_case(kube_emulator, "ingress-nginx") as case:
        yield case


@pytest.fixture
def plain(kube_emulator: KubeEmulator) -> Iterator[KubeRouteCase]:
    with kube_route_case(kube_emulator, "service") as case:
        yield case


def weights(case: KubeRouteCase, rule: int = 0) -> list[int]:
    refs = case.below.emulator.get(HTTP_ROUTE, "shop")["spec"]["rules"][rule]["backendRefs"]
    return [ref["weight"] for ref in refs]


def empty(case: KubeRouteCase, colour: Colour) -> None:
    """No pod of the colour is ready any more."""
    case.below.controllers.paused = True
    name = f"shop-{colour}-slice"
    emptied = {**case.below.emulator.get(ENDPOINT_SLICE, name), "endpoints": []}
    case.below.emulator.put(emptied)


def test_every_word_of_the_configuration_has_a_router_and_no_other() -> None:
    assert set(ROUTE_KINDS) == set(KubernetesConfig.model_json_schema()["properties"]["route"]["enum"])


def test_an_unknown_kind_of_route_is_refused(case: KubeRouteCase) -> None:
    with pytest.raises(InputError, match="gateway, ingress-nginx, service"):
        choose_router("magic", case.below.api, case.below.kube_fence, {}, Sight())


# --- HTTPRoute


def test_a_route_that_is_not_accepted_has_its_weights_all_the_same_and_says_why(case: KubeRouteCase) -> None:
    case.router.set_route("shop", Route(50, 50), epoch=EPOCH)
    case.below.controllers.refuse_routes = "NoMatchingParent"
    with pytest.raises(TargetError, match="Accepted is False \\(NoMatchingParent\\)"):
        case.router.set_route("shop", Route(100, 0), epoch=EPOCH)
    assert weights(case) == [100, 0]
    case.below.controllers.refuse_routes = ""
    case.below.controllers.settle()
    case.router.set_route("shop", Route(100, 0), epoch=EPOCH)


def test_only_the_word_about_the_very_generation_counts(case: KubeRouteCase) -> None:
    case.below.controllers.accept_routes = False
    reads = 0

    def answer_at_the_third_look(method: str, path: str) -> None:
        nonlocal reads
        reads += method == "GET" and path.endswith("/httproutes/shop")
        if reads == 5:
            case.below.controllers.accept_routes = True
            case.below.controllers.settle()

    case.below.emulator.before_call = answer_at_the_third_look
    case.router.set_route("shop", Route(90, 10), epoch=EPOCH)
    assert reads >= 5


def test_who_waits_while_a_higher_epoch_writes_is_fenced(case: KubeRouteCase) -> None:
    case.below.controllers.accept_routes = False
    emulator = case.below.emulator
    patched = False

    def take_over(method: str, path: str) -> None:
        nonlocal patched
        if patched and method == "GET" and path.endswith("/httproutes/shop"):
            route = emulator.get(HTTP_ROUTE, "shop")
            route["metadata"]["annotations"]["switchover.dev/epoch"] = "2"
            emulator.put(route)
        patched |= method == "PATCH"

    emulator.before_call = take_over
    with pytest.raises(FencedError):
        case.router.set_route("shop", Route(90, 10), epoch=EPOCH)


def test_a_share_rises_only_where_endpoints_are_ready(case: KubeRouteCase) -> None:
    empty(case, Colour.GREEN)
    with pytest.raises(TargetError, match="green of shop cannot take 10 %"):
        case.router.set_route("shop", Route(90, 10), epoch=EPOCH)
    assert weights(case) == [100, 0]


def test_the_way_back_does_not_depend_on_the_colour_that_is_left(case: KubeRouteCase) -> None:
    case.router.set_route("shop", Route(50, 50), epoch=EPOCH)
    case.slots.stop("shop", Colour.GREEN, epoch=EPOCH)
    case.router.set_route("shop", Route(100, 0), epoch=EPOCH)
    assert weights(case) == [100, 0]


def test_giving_again_what_a_colour_has_asks_for_no_endpoints(case: KubeRouteCase) -> None:
    empty(case, Colour.BLUE)
    case.router.set_route("shop", Route(100, 0), epoch=EPOCH)


def test_rules_that_somebody_made_disagree_agree_again(case: KubeRouteCase) -> None:
    case.below.emulator.put(a_route(rules=[{"backendRefs": backends(100, 0)}, {"backendRefs": backends(0, 100)}]))
    with pytest.raises(TargetError, match="disagree"):
        case.router.read_route("shop")
    case.router.set_route("shop", Route(100, 0), epoch=EPOCH)
    assert (weights(case, 0), weights(case, 1)) == ([100, 0], [100, 0])


def test_the_preview_of_the_idle_colour_is_left_alone(case: KubeRouteCase) -> None:
    for green in (10, 100, 0):
        case.router.set_route("shop", Route(100 - green, green), epoch=EPOCH)
        assert weights(case, 1) == [0, 1]
        answer = ask(case.gateway.address, "/", {"x-switchover-colour": "green"})
        assert answer.getheader("x-switchover-colour") == "green"


def test_a_data_plane_that_lags_behind_is_not_believed(case: KubeRouteCase) -> None:
    case.gateway.late = copy.deepcopy(case.below.emulator.get(HTTP_ROUTE, "shop"))
    case.router.set_route("shop", Route(50, 50), epoch=EPOCH)
    with pytest.raises(TargetError, match="0 of 100 probes were answered by green, which is to get 50 %"):
        case.new_router(within_seconds=0.3).confirm_route("shop", Route(50, 50))
    case.gateway.late = None
    case.router.confirm_route("shop", Route(50, 50))


def test_without_probes_nothing_is_sent(case: KubeRouteCase) -> None:
    router = case.new_router(probes=False)
    case.gateway.late = {"spec": {"rules": []}}
    router.set_route("shop", Route(50, 50), epoch=EPOCH)
    router.confirm_route("shop", Route(50, 50))


def test_answers_that_do_not_name_their_colour_say_what_to_add(case: KubeRouteCase) -> None:
    case.below.emulator.put(a_route(named=False))
    with pytest.raises(InputError, match="ResponseHeaderModifier"):
        case.new_router(within_seconds=0.3).confirm_route("shop", Route(100, 0))
    (obstacle,) = case.router.find_obstacles("shop", CANARY)
    assert "8 with status 200" in obstacle.found
    assert "x-switchover-colour" in obstacle.fix


def test_colours_without_anybody_in_them_are_seen_as_the_gateway_s_own_answers(case: KubeRouteCase) -> None:
    empty(case, Colour.BLUE)
    case.below.emulator.put(a_route(named=False))
    with pytest.raises(TargetError, match="100 with status 503"):
        case.new_router(within_seconds=0.3).confirm_route("shop", Route(100, 0))


def test_a_gateway_that_cannot_be_reached_is_an_obstacle(case: KubeRouteCase) -> None:
    case.gateway.address = "127.0.0.1:1"
    (obstacle,) = case.new_router().find_obstacles("shop", CANARY)
    assert "data_plane" in obstacle.fix


def test_without_a_crd_a_route_or_a_gateway_it_says_so(case: KubeRouteCase, kube_emulator: KubeEmulator) -> None:
    assert not case.router.find_obstacles("shop", CANARY)
    kube_emulator.store.delete(GATEWAY, kube_emulator.namespace, "public")
    assert "Gateway public" in str(case.router.find_obstacles("shop", CANARY)[0])
    kube_emulator.store.delete(HTTP_ROUTE, kube_emulator.namespace, "shop")
    assert "kind: HTTPRoute" in str(case.router.find_obstacles("shop", CANARY)[0])
    assert case.router.read_route("shop") is None
    with pytest.raises(InputError, match="kind: HTTPRoute"):
        case.router.set_route("shop", Route(100, 0), epoch=EPOCH)


def test_without_its_definition_the_cluster_cannot_have_a_route() -> None:
    emulator = KubeEmulator()
    emulator.uninstall(HTTP_ROUTE)
    with emulator, kube_route_case(emulator) as case:
        (obstacle,) = case.router.find_obstacles("shop", CANARY)
        assert obstacle.place == "the cluster's HTTPRoute"
        assert "custom resource definitions of gateway.networking.k8s.io" in obstacle.fix


def test_a_gateway_that_we_may_not_read_is_believed_by_the_route_s_status(case: KubeRouteCase) -> None:
    case.below.emulator.forbid("get", "gateways")
    assert not case.router.find_obstacles("shop", CANARY)
    case.router.confirm_route("shop", Route(100, 0))


def test_a_colour_that_lost_its_traffic_counts_as_busy_until_its_pods_are_gone(case: KubeRouteCase) -> None:
    case.router.set_route("shop", Route(0, 100), epoch=EPOCH)
    assert case.router.read_active_requests("shop", Colour.BLUE) == 1
    assert case.router.read_active_requests("shop", Colour.GREEN) == 0
    case.slots.stop("shop", Colour.BLUE, epoch=EPOCH)
    assert case.router.read_active_requests("shop", Colour.BLUE) == 0


def test_a_user_who_was_on_the_new_colour_stays_there_until_the_canary_ends(case: KubeRouteCase) -> None:
    router = case.new_router(sticky=True)
    assert not router.find_obstacles("shop", CANARY)
    router.set_route("shop", Route(90, 10), epoch=EPOCH)
    router.confirm_route("shop", Route(90, 10))
    answers = [ask(case.gateway.address, "/") for _ in range(100)]
    given = {answer.getheader("set-cookie") for answer in answers if answer.getheader("x-switchover-colour") == "green"}
    assert not any(
        answer.getheader("set-cookie") for answer in answers if answer.getheader("x-switchover-colour") == "blue"
    )
    (cookie,) = (str(each).partition(";")[0] for each in given)
    for green in (10, 50):
        router.set_route("shop", Route(100 - green, green), epoch=EPOCH)
        assert seen_with(case, cookie) == {"green": 30}
    router.set_route("shop", Route(100, 0), epoch=EPOCH)
    assert seen_with(case, cookie) == {"blue": 30}
    assert case.below.emulator.get(HTTP_ROUTE, "shop")["spec"] == a_route()["spec"]


def test_cookies_of_an_earlier_configuration_are_cleared_away(case: KubeRouteCase) -> None:
    case.new_router(sticky=True).set_route("shop", Route(50, 50), epoch=EPOCH)
    case.router.set_route("shop", Route(40, 60), epoch=EPOCH)
    assert case.below.emulator.get(HTTP_ROUTE, "shop")["spec"] == a_route(40, 60)["spec"]


# --- ingress-nginx


def test_with_ingress_nginx_an_idle_primary_without_pods_loses_nobody(nginx: KubeRouteCase) -> None:
    nginx.router.set_route("shop", Route(0, 100), epoch=EPOCH)
    nginx.slots.stop("shop", Colour.BLUE, epoch=EPOCH)
    assert nginx.send(20, "/") == {"green 200": 20}


def test_with_ingress_nginx_a_primary_that_would_lose_users_is_an_obstacle(nginx: KubeRouteCase) -> None:
    assert not nginx.router.find_obstacles("shop", CANARY)
    primary = ingresses()[0]
    primary["metadata"]["annotations"] = {"other": "1"}
    nginx.below.emulator.put(primary)
    stored = nginx.below.emulator.get(INGRESS, "shop")
    assert "nginx.ingress.kubernetes.io/service-upstream" not in stored["metadata"]["annotations"]
    (obstacle,) = nginx.router.find_obstacles("shop", CANARY)
    assert "service-upstream" in obstacle.place
    nginx.router.set_route("shop", Route(0, 100), epoch=EPOCH)
    nginx.slots.stop("shop", Colour.BLUE, epoch=EPOCH)
    assert nginx.send(5, "/") == {"None 503": 5}, "this is what the obstacle is for"


def test_with_ingress_nginx_the_service_must_name_its_colour(nginx: KubeRouteCase) -> None:
    nginx.gateway.names_colours = False
    (obstacle,) = nginx.router.find_obstacles("shop", CANARY)
    assert "let the service itself send it" in obstacle.fix


# --- a Service's selector


def test_a_service_moves_all_at_once_and_nothing_less(plain: KubeRouteCase) -> None:
    for colour in (Colour.GREEN, Colour.BLUE, Colour.BLUE):
        plain.router.set_route("shop", Route.giving(colour, 100), epoch=EPOCH)
        plain.router.confirm_route("shop", Route.giving(colour, 100))
        assert plain.router.read_route("shop") == Route.giving(colour, 100)
        assert plain.send(10, "/") == {f"{colour} 200": 10}
    with pytest.raises(InputError, match="instant"):
        plain.router.set_route("shop", Route(90, 10), epoch=EPOCH)
    (obstacle,) = plain.router.find_obstacles("shop", CANARY)
    assert "10 %" in obstacle.found
    assert not plain.router.find_obstacles("shop", (Step(100, 1),))


def test_a_service_is_moved_when_the_very_pods_are_behind_it(plain: KubeRouteCase) -> None:
    plain.below.controllers.paused = True
    looks = 0

    def settle_late(method: str, path: str) -> None:
        nonlocal looks
        looks += method == "GET" and "shop-stable" in path
        if looks == 6:
            plain.below.controllers.paused = False
            plain.below.controllers.settle()

    plain.below.emulator.before_call = settle_late
    plain.router.set_route("shop", Route(0, 100), epoch=EPOCH)
    assert looks >= 6


def test_a_service_has_an_address_of_its_own_for_probes(plain: KubeRouteCase) -> None:
    routed = plain.router._services["shop"]
    stable = plain.below.emulator.get(SERVICE, "shop-stable")
    assert ROUTE_KINDS["service"](plain.below.api).find_data_plane(stable, routed, None).address == "10.96.0.7:80"
    stable["spec"]["clusterIP"] = "None"
    with pytest.raises(InputError, match="data_plane"):
        ROUTE_KINDS["service"](plain.below.api).find_data_plane(stable, routed, None)


def seen_with(case: KubeRouteCase, cookie: str) -> Counter[str | None]:
    answers = (ask(case.gateway.address, "/", {"cookie": cookie}) for _ in range(30))
    return Counter(answer.getheader("x-switchover-colour") for answer in answers)


def test_a_route_is_accepted_as_soon_as_one_colour_was_started(kube_emulator: KubeEmulator) -> None:
    kube_emulator.put(a_gateway(), a_route(0, 100))
    api = kube_emulator.api()
    case = KubeCase.on(kube_emulator, api)
    case.slots.start(case.publish("1.0.0"), Colour.BLUE, kube_workload(), epoch=EPOCH)
    case.wait_ready(Colour.BLUE)
    router = choose_router(
        "gateway", api, case.kube_fence, {"shop": RoutedService("shop", "shop")}, Sight(probes=False)
    )
    router.set_route("shop", Route(100, 0), epoch=EPOCH)
    api.close()
