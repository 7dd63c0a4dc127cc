from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes_asyncio.client import Configuration

from switchover.adapters.kube_access import find_denied
from switchover.adapters.kube_api import NEVER_WRITTEN, KubeApi
from switchover.adapters.kube_errors import KubeConflictError
from switchover.adapters.kube_kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    KINDS,
    SECRET,
    SELF_SUBJECT_ACCESS_REVIEW,
    KubeObject,
    kind_of,
)
from switchover.decide.kube_rights import Right
from switchover.errors import InputError, SwitchoverError, TargetError
from switchover.model import SmokeTest
from tests.kube_emulator import KubeEmulator


def a_config_map(name: str = "settings", **data: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_secret(value: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"key": value}}


@pytest.fixture
def api(kube_emulator: KubeEmulator) -> Iterator[KubeApi]:
    api = kube_emulator.api()
    yield api
    api.close()


def refusal(call: Callable[[], object], error: type[SwitchoverError] = InputError) -> str:
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    return str(raised.value)


# --- what holds on every API server ------------------------------------------------------------------


def test_what_was_applied_is_read_and_listed_by_label(kube_api: KubeApi) -> None:
    for name, colour in (("b", "blue"), ("a", "blue"), ("c", "green")):
        kube_api.apply({**a_config_map(), "metadata": {"name": name, "labels": {"colour": colour}}})
    listed = kube_api.list(CONFIG_MAP, {"colour": "blue"})
    assert [each["metadata"]["name"] for each in listed] == ["a", "b"]
    assert listed[0] == kube_api.read(CONFIG_MAP, "a")
    assert kube_api.read(CONFIG_MAP, "d") is None


def test_applying_again_takes_away_what_was_applied_before_and_leaves_what_others_set(kube_api: KubeApi) -> None:
    kube_api.apply(a_config_map(ours="1", dropped="1"))
    kube_api.replace({**(kube_api.read(CONFIG_MAP, "settings") or {}), "data": {"ours": "1", "dropped": "1", "x": "y"}})
    assert kube_api.apply(a_config_map(ours="2"))["data"] == {"ours": "2", "x": "y"}


def test_applying_on_a_version_makes_it_one_step_with_the_read(kube_api: KubeApi) -> None:
    made = kube_api.apply(a_config_map(k="1"), resource_version=NEVER_WRITTEN)
    with pytest.raises(KubeConflictError):
        kube_api.apply(a_config_map(k="2"), resource_version=NEVER_WRITTEN)
    version = made["metadata"]["resourceVersion"]
    assert kube_api.apply(a_config_map(k="2"), resource_version=version)["data"] == {"k": "2"}
    with pytest.raises(KubeConflictError):
        kube_api.apply(a_config_map(k="3"), resource_version=version)


def test_an_object_that_was_deleted_is_not_made_again_by_an_apply_that_names_its_uid(kube_api: KubeApi) -> None:
    made = kube_api.apply(a_config_map(k="1"))["metadata"]
    kube_api.delete(CONFIG_MAP, "settings")
    again = {**a_config_map(k="2"), "metadata": {"name": "settings", "uid": made["uid"]}}
    with pytest.raises(KubeConflictError):
        kube_api.apply(again, resource_version=made["resourceVersion"])
    assert kube_api.read(CONFIG_MAP, "settings") is None


def test_an_object_is_created_once_and_replaced_on_its_version_only(kube_api: KubeApi) -> None:
    made = kube_api.create(a_config_map(k="1"))
    with pytest.raises(KubeConflictError):
        kube_api.create(a_config_map(k="2"))
    kube_api.replace({**made, "data": {"k": "2"}})
    with pytest.raises(KubeConflictError):
        kube_api.replace({**made, "data": {"k": "3"}})


def test_a_patch_whose_test_fails_or_whose_object_is_gone_is_a_conflict(kube_api: KubeApi) -> None:
    made = kube_api.create(a_config_map(k="1"))
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}
    change = {"op": "replace", "path": "/data/k", "value": "2"}
    assert kube_api.patch(CONFIG_MAP, "settings", [version, change])["data"] == {"k": "2"}
    for name in ("settings", "nothing"):
        with pytest.raises(KubeConflictError):
            kube_api.patch(CONFIG_MAP, name, [version, change])


def test_deleting_nothing_is_fine_and_deleting_another_version_is_a_conflict(kube_api: KubeApi) -> None:
    kube_api.delete(CONFIG_MAP, "settings")
    old = kube_api.create(a_config_map(k="1"))["metadata"]["resourceVersion"]
    kube_api.apply(a_config_map(k="2"))
    with pytest.raises(KubeConflictError):
        kube_api.delete(CONFIG_MAP, "settings", resource_version=old)
    kube_api.delete(CONFIG_MAP, "settings")
    assert kube_api.read(CONFIG_MAP, "settings") is None


def test_an_immutable_object_that_changes_is_refused_with_the_field_and_without_the_secret(kube_api: KubeApi) -> None:
    kube_api.apply({**a_secret("t0ken"), "immutable": True})
    message = refusal(lambda: kube_api.apply({**a_secret("0ther"), "immutable": True}))
    assert "data" in message
    assert "t0ken" not in message
    assert "0ther" not in message


def test_an_invalid_object_is_refused_with_the_field(kube_api: KubeApi) -> None:
    assert "metadata.name" in refusal(lambda: kube_api.create(a_config_map("Not_A_Name")))


def test_whether_a_kind_is_served_can_be_asked(kube_api: KubeApi) -> None:
    assert kube_api.has(CONFIG_MAP)
    assert kube_api.has(DEPLOYMENT)


def test_what_we_may_do_can_be_asked(kube_api: KubeApi) -> None:
    attributes = {"verb": "get", "resource": "configmaps", "namespace": kube_api.namespace}
    kind = SELF_SUBJECT_ACCESS_REVIEW
    review = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    assert kube_api.create({**review, "spec": {"resourceAttributes": attributes}})["status"]["allowed"]


# --- what goes wrong ---------------------------------------------------------------------------------


def test_credentials_that_ran_out_are_read_again_once(kube_emulator: KubeEmulator) -> None:
    tokens = iter(["old", "new"])
    api = KubeApi(lambda: kube_emulator.configuration(next(tokens)), kube_emulator.namespace)
    kube_emulator.tokens = {"old"}
    api.apply(a_config_map(k="1"))
    kube_emulator.tokens = {"new"}
    assert api.apply(a_config_map(k="2"))["data"] == {"k": "2"}
    api.close()


def test_credentials_that_stay_refused_say_renew_and_hide_the_token(kube_emulator: KubeEmulator) -> None:
    reads: list[int] = []

    def read() -> Configuration:
        reads.append(1)
        return kube_emulator.configuration("s3cret")

    api = KubeApi(read, kube_emulator.namespace)
    kube_emulator.tokens = {"other"}
    message = refusal(lambda: api.read(CONFIG_MAP, "settings"), TargetError)
    assert "renew the credentials" in message
    assert "s3cret" not in message
    assert len(reads) == 2
    api.close()


def test_threads_that_meet_old_credentials_together_read_them_again_once(kube_emulator: KubeEmulator) -> None:
    reads: list[int] = []

    def read() -> Configuration:
        reads.append(1)
        return kube_emulator.configuration("old" if len(reads) == 1 else "new")

    api = KubeApi(read, kube_emulator.namespace)
    kube_emulator.tokens = {"old", "new"}
    api.apply(a_config_map(k="1"))
    kube_emulator.tokens = {"new"}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: api.read(CONFIG_MAP, "settings"), range(8)))
    assert all(each is not None for each in found)
    assert len(reads) == 2
    api.close()


@pytest.mark.parametrize(
    ("verb", "plural", "call"),
    [
        ("patch", "configmaps", lambda api: api.apply(a_config_map())),
        ("list", "secrets", lambda api: api.list(SECRET)),
        ("patch", "httproutes", lambda api: api.patch(HTTP_ROUTE, "shop", [])),
        ("get", "pods/log", lambda api: api.read_log("shop-1", "app")),
        ("get", "services/proxy", lambda api: api.ask_service("shop", 80, SmokeTest("s", "/"))),
    ],
)
def test_a_missing_right_is_named_with_what_to_grant(
    kube_emulator: KubeEmulator, api: KubeApi, verb: str, plural: str, call: Callable[[KubeApi], Any]
) -> None:
    kube_emulator.forbid(verb, plural)
    message = refusal(lambda: call(api))
    assert f'resources: ["{plural}"]' in message
    assert f'"{verb}"' in message
    assert f"namespace {kube_emulator.namespace}" in message


def test_a_quota_is_not_mistaken_for_a_missing_right(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    kube_emulator.fail(403, message="exceeded quota: small, requested: pods=1", reason="Forbidden")
    message = refusal(lambda: api.apply(a_config_map()))
    assert "exceeded quota" in message
    assert "grant" not in message


def test_credentials_that_nobody_knows_are_not_mistaken_for_a_missing_right(
    kube_emulator: KubeEmulator, api: KubeApi
) -> None:
    words = 'secrets "a" is forbidden: User "system:anonymous" cannot get resource "secrets"'
    kube_emulator.fail(403, message=words, reason="Forbidden")
    assert "renew the credentials" in refusal(lambda: api.read(SECRET, "a"), TargetError)


def test_a_field_that_the_kind_does_not_know_is_named_at_once(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    words = "failed to create typed patch object (/x; v1, Kind=ConfigMap): .moon: field not declared in schema"
    kube_emulator.fail(500, times=None, message=words)
    assert ".moon" in refusal(lambda: api.apply(a_config_map()))
    assert len(kube_emulator.calls) == 1


def test_rights_that_a_restarted_api_server_has_not_read_yet_are_waited_for(
    kube_emulator: KubeEmulator, api: KubeApi
) -> None:
    api.apply(a_config_map(k="1"))
    kube_emulator.forbid("patch", "configmaps")
    with kube_emulator.stopped():
        refusal(lambda: api.read(CONFIG_MAP, "settings"), TargetError)
    timer = threading.Timer(0.5, kube_emulator.allow, ("patch", "configmaps"))
    timer.start()
    assert api.apply(a_config_map(k="2"))["data"] == {"k": "2"}
    timer.join()


def test_a_missing_namespace_is_named(kube_emulator: KubeEmulator) -> None:
    api = KubeApi(kube_emulator.configuration, "nowhere")
    assert "kubectl create namespace nowhere" in refusal(lambda: api.apply(a_config_map()))
    assert api.read(CONFIG_MAP, "settings") is None
    api.close()


def test_missing_definitions_are_named() -> None:
    emulator = KubeEmulator()
    emulator.uninstall(HTTP_ROUTE, GATEWAY)
    with emulator:
        api = emulator.api()
        assert not api.has(HTTP_ROUTE)
        for call in (lambda: api.read(HTTP_ROUTE, "shop"), lambda: api.list(HTTP_ROUTE)):
            assert "custom resource definitions of gateway.networking.k8s.io" in refusal(call)
        api.close()


def test_a_manifest_of_another_kind_or_namespace_is_refused(api: KubeApi) -> None:
    assert "v1 Pot" in refusal(lambda: api.apply({"apiVersion": "v1", "kind": "Pot", "metadata": {"name": "x"}}))
    elsewhere = {**a_config_map(), "metadata": {"name": "x", "namespace": "elsewhere"}}
    assert "metadata.namespace elsewhere" in refusal(lambda: api.apply(elsewhere))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_read_outlives_a_passing_trouble(kube_emulator: KubeEmulator, api: KubeApi, status: int) -> None:
    api.apply(a_config_map())
    kube_emulator.fail(status, times=2)
    assert api.read(CONFIG_MAP, "settings") is not None


def test_a_write_on_a_version_is_not_repeated_after_a_lost_answer(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    made = api.apply(a_config_map(k="1"))
    kube_emulator.fail(500, method="PUT", after=True)
    refusal(lambda: api.replace({**made, "data": {"k": "2"}}), TargetError)
    assert kube_emulator.get(CONFIG_MAP, "settings")["data"] == {"k": "2"}
    assert sum(method == "PUT" for method, _ in kube_emulator.calls) == 1


def test_a_trouble_that_stays_says_so(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    kube_emulator.fail(503, times=None, message="etcdserver: leader changed")
    assert "leader changed" in refusal(lambda: api.read(CONFIG_MAP, "settings"), TargetError)


def test_an_api_server_that_does_not_answer_in_time_is_given_up(kube_emulator: KubeEmulator) -> None:
    api = KubeApi(kube_emulator.configuration, kube_emulator.namespace, timeout_seconds=1.0)
    kube_emulator.fail(0, times=None, delay_seconds=10.0)
    assert "no answer within 1 s" in refusal(lambda: api.read(CONFIG_MAP, "settings"), TargetError)
    api.close()


def test_a_refused_connection_is_no_traceback() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening
        api = KubeApi(lambda: Configuration(host=f"http://127.0.0.1:{taken.getsockname()[1]}"), "shop")
        assert "is reachable" in refusal(lambda: api.apply(a_config_map()), TargetError)
        api.close()


def test_a_write_waits_for_an_api_server_that_restarts(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    api.apply(a_config_map(k="1"))
    kube_emulator.stop()
    back = threading.Timer(0.3, kube_emulator.start)
    back.start()
    assert api.apply(a_config_map(k="2"))["data"] == {"k": "2"}
    back.join()


# --- services and logs -------------------------------------------------------------------------------


A_POD = {"containers": [{"name": "app", "image": "registry.example.org/shop@sha256:0"}]}


def a_service(emulator: KubeEmulator) -> None:
    emulator.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop-green"}, "spec": {}})


def test_a_service_is_asked_with_method_path_query_and_body(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    a_service(kube_emulator)
    kube_emulator.services["shop-green"] = lambda *said: (201, " ".join(said))
    status, body, seconds = api.ask_service("shop-green", "http", SmokeTest("s", "/a%20b/c?d=e&f=g", "POST", "x=1"))
    assert (status, body) == (201, "POST /a%20b/c?d=e&f=g x=1")
    assert seconds > 0


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 503])
def test_what_a_service_says_is_its_own_answer(kube_emulator: KubeEmulator, api: KubeApi, status: int) -> None:
    a_service(kube_emulator)
    kube_emulator.services["shop-green"] = lambda *_: (status, "mine")
    assert api.ask_service("shop-green", 80, SmokeTest("s", "/"))[:2] == (status, "mine")
    assert len(kube_emulator.calls) == 1


def test_a_service_without_pods_answers_503(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    a_service(kube_emulator)
    status, body, _ = api.ask_service("shop-green", 80, SmokeTest("s", "/"))
    assert status == 503
    assert "no endpoints available" in body


def test_a_service_that_is_not_there_is_named(api: KubeApi) -> None:
    message = refusal(lambda: api.ask_service("shop-green", 80, SmokeTest("s", "/")), TargetError)
    assert 'services "shop-green" not found' in message


def test_a_service_that_does_not_answer_in_time_is_given_up(kube_emulator: KubeEmulator, api: KubeApi) -> None:
    a_service(kube_emulator)
    kube_emulator.fail(0, path="/proxy", delay_seconds=3.0)
    refusal(lambda: api.ask_service("shop-green", 80, SmokeTest("s", "/", within_ms=200)), TargetError)


def test_a_log_is_read_by_time_and_by_lines_and_a_missing_pod_has_none(
    kube_emulator: KubeEmulator, api: KubeApi
) -> None:
    kube_emulator.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": A_POD})
    for line in ("one", "two", "three"):
        kube_emulator.write_log("p", line)
    assert api.read_log("p", "app") == "one\ntwo\nthree\n"
    assert api.read_log("p", "app", tail=1) == "three\n"
    assert api.read_log("p", "app", since="2999-01-01T00:00:00Z") == ""
    assert api.read_log("p", "app", timestamps=True, tail=1).endswith("Z three\n")
    assert api.read_log("gone", "app") == ""
    assert "container sidecar is not valid" in refusal(lambda: api.read_log("p", "sidecar"))


def test_every_kind_is_found_by_what_its_manifest_says() -> None:
    for kind in KINDS:
        assert kind_of({"apiVersion": kind.api_version, "kind": kind.kind}) is kind


def test_a_question_about_rights_is_asked_again_after_a_lost_connection(kube_emulator: KubeEmulator) -> None:
    api = kube_emulator.api()
    kube_emulator.fail(503, method="POST", times=1)
    assert find_denied(api, [Right("get", "", "configmaps", "")]) == ()
    api.close()
