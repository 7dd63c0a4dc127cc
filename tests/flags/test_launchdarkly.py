"""LaunchDarkly's own SDK behind the client, without a network: its test data, its file source, a server of ours."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ldclient import Context as SdkContext
from ldclient.feature_store import InMemoryFeatureStore
from ldclient.integrations import Files
from ldclient.integrations.test_data import TestData
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from switchover.errors import InputError
from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.context_cache import ContextCache
from switchover.flags.events import Event, EventKind
from switchover.flags.launchdarkly import SDK_KEY_VARIABLE, LaunchDarkly, launchdarkly_client, read_sdk_key
from switchover.flags.launchdarkly_answers import sdk_context
from switchover.flags.openfeature import SwitchoverProvider
from switchover.flags.resolution import ErrorCode, Reason
from switchover.flags.status import State

SDK_KEY = "sdk-00000000-0000-0000-0000-000000000000"
ENVIRONMENT = {SDK_KEY_VARIABLE: SDK_KEY}
PATIENCE_SECONDS = 20.0
ANN, BOB = Context("ann", {"country": "de"}), Context("bob")


def open_client(source: Any, **options: Any) -> Client:
    return launchdarkly_client(ENVIRONMENT, update_processor_class=source, **{"send_events": False, **options})


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS * 50)):
        if holds():
            return
        pause.wait(0.02)
    pytest.fail("it did not come true")


def flag(key: str, **more: Any) -> dict[str, Any]:
    described = {
        "key": key,
        "version": 1,
        "on": True,
        "variations": ["red", "green"],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "salt": "s",
    }
    return {**described, **more}


FILE: dict[str, Any] = {
    "flags": {
        "plain": flag("plain"),
        "off": flag("off", on=False),
        "off-without-value": flag("off-without-value", on=False, offVariation=None),
        "targeted": flag("targeted", targets=[{"variation": 1, "values": ["bob"]}]),
        "ruled": flag(
            "ruled",
            rules=[
                {"id": "a", "variation": 0, "clauses": [{"attribute": "country", "op": "in", "values": ["fr"]}]},
                {"id": "b", "variation": 1, "clauses": [{"attribute": "country", "op": "in", "values": ["de"]}]},
            ],
        ),
        "gated": flag("gated", prerequisites=[{"key": "off", "variation": 0}]),
        "split": flag(
            "split",
            fallthrough={
                "rollout": {"variations": [{"variation": 0, "weight": 0}, {"variation": 1, "weight": 100000}]}
            },
        ),
        "in-experiment": flag(
            "in-experiment",
            fallthrough={
                "rollout": {"kind": "experiment", "seed": 7, "variations": [{"variation": 1, "weight": 100000}]}
            },
        ),
        "in-segment": flag(
            "in-segment",
            rules=[
                {"id": "s", "variation": 1, "clauses": [{"attribute": "", "op": "segmentMatch", "values": ["beta"]}]}
            ],
        ),
        "malformed": flag("malformed", fallthrough={"variation": 9}),
        "empty": flag("empty", fallthrough={}),
        "number": flag("number", variations=[7, 7.5]),
        "tree": flag("tree", variations=[{"a": [1]}, {}]),
        "truth": flag("truth", variations=[True, False]),
        "null": flag("null", variations=[None, 1]),
    },
    "segments": {"beta": {"key": "beta", "version": 1, "included": ["ann"], "excluded": [], "salt": "s", "rules": []}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps(FILE), encoding="utf-8")
    return path


def file_source(path: Path) -> Any:
    return Files.new_data_source(paths=[str(path)], auto_update=True, force_polling=True, poll_interval=0.05)


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    with open_client(file_source(path)) as client:
        assert client.wait_ready(PATIENCE_SECONDS)
        yield client


@pytest.mark.parametrize(
    ("key", "context", "value", "variant", "reason", "rule"),
    [
        ("plain", ANN, "red", "0", Reason.DEFAULT, None),
        ("off", ANN, "green", "1", Reason.DISABLED, None),
        ("off-without-value", ANN, "mine", None, Reason.DISABLED, None),
        ("targeted", BOB, "green", "1", Reason.TARGETING_MATCH, None),
        ("targeted", ANN, "red", "0", Reason.DEFAULT, None),
        ("ruled", ANN, "green", "1", Reason.TARGETING_MATCH, 1),
        ("ruled", BOB, "red", "0", Reason.DEFAULT, None),
        ("gated", ANN, "green", "1", Reason.PREREQUISITE_FAILED, None),
        ("split", ANN, "green", "1", Reason.SPLIT, None),
        ("in-segment", ANN, "green", "1", Reason.TARGETING_MATCH, 0),
        ("in-segment", BOB, "red", "0", Reason.DEFAULT, None),
    ],
)
def test_the_sdk_answers_and_its_reason_is_in_our_words(
    client: Client, key: str, context: Context, value: str, variant: str | None, reason: Reason, rule: int | None
) -> None:
    detail = client.get_value_detail(key, "mine", context)
    assert (detail.value, detail.variant, detail.reason, detail.rule) == (value, variant, reason, rule)
    assert detail.error_code is None


def test_what_else_the_sdk_says_is_in_the_metadata(client: Client) -> None:
    assert client.get_value_detail("gated", "mine", ANN).metadata == {"launchdarkly.prerequisite": "off"}
    assert client.get_value_detail("in-experiment", "mine", ANN).metadata == {"launchdarkly.inExperiment": True}
    assert client.get_value_detail("plain", "mine", ANN).metadata == {}


@pytest.mark.parametrize(
    ("key", "context", "code"),
    [
        ("missing", ANN, ErrorCode.FLAG_NOT_FOUND),
        ("malformed", ANN, ErrorCode.PARSE_ERROR),
        ("empty", ANN, ErrorCode.PARSE_ERROR),
        ("plain", Context(), ErrorCode.TARGETING_KEY_MISSING),
        ("plain", Context(""), ErrorCode.TARGETING_KEY_MISSING),
        ("plain", Context(7), ErrorCode.INVALID_CONTEXT),  # type: ignore[arg-type]
        ("plain", Context(["a"]), ErrorCode.INVALID_CONTEXT),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_answered_is_the_default_with_its_error_code(
    client: Client, key: str, context: Context, code: ErrorCode
) -> None:
    detail = client.get_value_detail(key, "mine", context)
    assert (detail.value, detail.variant, detail.reason, detail.error_code) == ("mine", None, Reason.ERROR, code)


def test_values_are_of_the_type_that_was_asked_for(client: Client) -> None:
    assert client.get_value("number", 1, ANN) == 7
    assert client.get_value("number", 1.0, ANN) == 7.0
    assert isinstance(client.get_value("number", 1.0, ANN), float)
    assert client.is_enabled("truth", ANN) is True
    assert client.get_value("tree", {}, ANN) == {"a": [1]}
    for key, default in (("truth", 1), ("plain", False), ("number", "text"), ("tree", 1), ("null", "text")):
        detail = client.get_value_detail(key, default, ANN)
        assert (detail.value, detail.error_code) == (default, ErrorCode.TYPE_MISMATCH)


def test_what_a_caller_does_to_an_object_changes_nothing_for_the_next(client: Client) -> None:
    tree: Any = client.get_value("tree", {}, ANN)
    tree["a"].append(2)
    everything: Any = client.evaluate_all(ANN)
    everything["tree"]["b"] = 3
    assert client.get_value("tree", {}, ANN) == {"a": [1]}
    assert client.evaluate_all(ANN)["tree"] == {"a": [1]}


@pytest.mark.parametrize("context", [ANN, BOB, Context("ann", {"country": "fr"})])
def test_all_flags_at_once_are_as_one_by_one(client: Client, context: Context) -> None:
    together = client.evaluate_all_detail(context)
    assert set(together) == set(FILE["flags"])
    assert together == {key: client.get_value_detail(key, None, context) for key in FILE["flags"]}


def test_all_flags_for_nobody_and_for_an_impossible_context_are_errors_and_no_exception(client: Client) -> None:
    for context in (Context(), Context(7)):  # type: ignore[arg-type]
        details = client.evaluate_all_detail(context)
        assert set(details) == set(FILE["flags"])
        assert {detail.reason for detail in details.values()} == {Reason.ERROR}


@pytest.mark.parametrize("odd", [float("nan"), 10**400, object(), b"bytes", {1: 2}, "\ud800", None])
def test_no_attribute_lets_an_exception_out(client: Client, odd: object) -> None:
    context = Context("ann", {"country": odd, "name": odd, "anonymous": odd, "key": odd, 7: odd})  # type: ignore[dict-item]
    assert client.get_value("ruled", "mine", context) == "red"
    assert client.evaluate_all(context)["ruled"] == "red"


def test_a_context_is_a_user_unless_it_says_what_else_it_is() -> None:
    found = sdk_context(Context("ann", {"country": "de", "name": "Ann", "anonymous": True, "key": "eve"}))
    wanted = SdkContext.builder("ann").name("Ann").anonymous(anonymous=True).set("country", "de").build()
    assert found == wanted
    assert sdk_context(Context("acme", {"kind": "organisation"})) == SdkContext.create("acme", "organisation")


@pytest.mark.parametrize("kind", ["premium customer", "multi", "kind", "", "é"])
def test_a_kind_that_launchdarkly_cannot_have_is_the_applications_own_and_left_out(client: Client, kind: str) -> None:
    assert sdk_context(Context("ann", {"kind": kind, "country": "de"})) == sdk_context(ANN)
    for key in FILE["flags"]:
        of_a_kind = client.get_value_detail(key, "mine", Context("ann", {"kind": kind, "country": "de"}))
        assert of_a_kind == client.get_value_detail(key, "mine", ANN)
    assert client.evaluate_all(Context("ann", {"kind": kind, "country": "de"})) == client.evaluate_all(ANN)


def test_a_changed_file_changes_the_answers_and_tells_which(client: Client, path: Path) -> None:
    told: list[Event] = []
    client.subscribe(told.append)
    changed = {**FILE, "flags": {**FILE["flags"], "plain": flag("plain", version=2, on=False), "new": flag("new")}}
    path.write_text(json.dumps(changed), encoding="utf-8")
    wait_until(lambda: client.get_value("plain", "mine", ANN) == "green" and client.variant("new", ANN) == "0")
    wait_until(lambda: any(event.kind is EventKind.CHANGED for event in told))
    assert {key for event in told for key in event.keys} >= {"plain", "new"}
    assert client.status.state is State.READY


def test_a_value_that_changes_without_a_version_is_noticed_too(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text('{"flagValues": {"limit": 10}}', encoding="utf-8")
    told: list[Event] = []
    with open_client(file_source(path)) as client:
        client.subscribe(told.append)
        assert client.get_value("limit", 1, ANN) == 10
        path.write_text('{"flagValues": {"limit": 20000}}', encoding="utf-8")
        wait_until(lambda: any(event.keys == ("limit",) for event in told))
        assert client.get_value("limit", 1, ANN) == 20000


def test_a_segment_that_changes_is_told_as_a_change_of_its_flags(client: Client, path: Path) -> None:
    told: list[Event] = []
    client.subscribe(told.append)
    beta = {**FILE["segments"]["beta"], "version": 2, "included": ["bob"]}
    path.write_text(json.dumps({**FILE, "segments": {"beta": beta}}), encoding="utf-8")
    wait_until(lambda: any("in-segment" in event.keys for event in told))
    assert client.get_value("in-segment", "mine", BOB) == "green"


def test_a_source_that_was_stopped_can_be_started_again(path: Path) -> None:
    source = LaunchDarkly(SDK_KEY, update_processor_class=file_source(path), send_events=False)
    with Client(source, compiler=source.compile) as client:
        source.stop()
        assert client.get_value("ruled", "mine", ANN) == "green"
        source.start(client)
        path.write_text(json.dumps({"flags": {"plain": flag("plain", version=2, on=False)}}), encoding="utf-8")
        wait_until(lambda: client.status.flags == 1)
        assert client.get_value("plain", "mine", ANN) == "green"


def test_a_file_that_breaks_leaves_the_last_known_values_and_is_stale(client: Client, path: Path) -> None:
    path.write_text("{", encoding="utf-8")
    wait_until(lambda: client.status.state is State.STALE)
    assert client.get_value("ruled", "mine", ANN) == "green"
    path.write_text(json.dumps({**FILE, "flags": {"plain": flag("plain", version=3)}}), encoding="utf-8")
    wait_until(lambda: client.status.state is State.READY)
    wait_until(lambda: client.status.flags == 1)


def test_test_data_serve_at_once_and_a_kill_counts_with_the_next_question() -> None:
    data = TestData.data_source()
    data.update(data.flag("checkout").variation_for_all(variation=True))
    with open_client(data) as client:
        assert client.is_enabled("checkout", ANN)
        data.update(data.flag("checkout").on(on=False))
        detail = client.is_enabled_detail("checkout", ANN)
        assert (detail.value, detail.reason) == (False, Reason.DISABLED)


def test_a_flag_that_changed_its_values_a_moment_ago_gives_the_new_ones() -> None:
    data = TestData.data_source()
    data.update(data.flag("colour").variations("red", "green").fallthrough_variation(0))
    with open_client(data) as client:
        assert client.get_value("colour", "mine", ANN) == "red"
        data.update(data.flag("colour").variations("blue", "green").fallthrough_variation(0))
        assert client.get_value("colour", "mine", ANN) == "blue"
        assert client.evaluate_all(ANN) == {"colour": "blue"}


def test_a_flag_that_is_as_before_keeps_its_counters() -> None:
    data = TestData.data_source()
    data.update(data.flag("one").variation_for_all(variation=True))
    with open_client(data) as client:
        first = client.resolve("one", ANN)
        data.update(data.flag("two").variation_for_all(variation=True))
        wait_until(lambda: client.status.flags == 2)
        assert client.resolve("one", ANN) is first
        assert first.count() == 2


def test_with_a_cache_the_sdk_is_asked_once_for_each_context_and_a_kill_empties_it(path: Path) -> None:
    with open_client(file_source(path), cache=ContextCache()) as client:
        answers = [client.get_value("ruled", "mine", context) for context in (ANN, BOB, ANN, BOB, ANN)]
        assert answers == ["green", "red", "green", "red", "green"]
        statistics = client.cache_statistics
        assert statistics is not None
        assert (statistics.hits, statistics.misses) == (3, 2)
        told: list[Event] = []
        client.subscribe(told.append)
        off = {**FILE["flags"]["ruled"], "version": 2, "on": False, "offVariation": 0}
        path.write_text(json.dumps({**FILE, "flags": {**FILE["flags"], "ruled": off}}), encoding="utf-8")
        wait_until(lambda: any("ruled" in event.keys for event in told))
        assert client.get_value("ruled", "mine", ANN) == "red"
        assert client.get_value_detail("ruled", "mine", ANN).reason is Reason.DISABLED


class Failing(InMemoryFeatureStore):
    """A store of the SDK's whose database goes away and comes back."""

    is_away = False

    def all(self, kind: Any, callback: Any = lambda x: x) -> Any:
        if self.is_away:
            msg = "password=secret"
            raise ConnectionError(msg)
        return super().all(kind, callback)  # type: ignore[no-untyped-call]


def test_a_store_of_the_sdks_that_fails_makes_the_flags_stale_until_it_is_back() -> None:
    data, store = TestData.data_source(), Failing()  # type: ignore[no-untyped-call]
    data.update(data.flag("checkout").variation_for_all(variation=True))
    with open_client(data, feature_store=store) as client:
        store.is_away = True
        wait_until(lambda: client.status.state is State.STALE)
        assert client.status.why == "the SDK's store cannot be read: ConnectionError"
        assert client.is_enabled("checkout", ANN)
        store.is_away = False
        wait_until(lambda: client.status.state is State.READY)


class Sent:
    """An event processor of the SDK that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, config: object) -> Sent:  # noqa: ARG002 - as the SDK calls it
        return self

    def send_event(self, event: object) -> None:
        self.events.append(event)

    def flush(self) -> None: ...

    def stop(self) -> None: ...


def test_events_and_evaluations_are_sent_to_launchdarkly_and_looking_at_all_flags_is_not() -> None:
    data, sent = TestData.data_source(), Sent()
    data.update(data.flag("checkout").variation_for_all(variation=True))
    with open_client(data, event_processor_class=sent, send_events=True) as client:
        client.evaluate_all(ANN)
        assert sent.events == []
        client.is_enabled("checkout", ANN)
        client.track("bought", ANN, 9.5)
        client.track("bought", Context())
    evaluated, bought = sent.events
    assert (evaluated.key, evaluated.value, evaluated.context.key) == ("checkout", True, "ann")
    assert (bought.key, bought.metric_value, bought.context.key) == ("bought", 9.5, "ann")


def test_openfeature_gets_the_same_answers(client: Client) -> None:
    api.set_provider_and_wait(SwitchoverProvider(client))
    try:
        asking = api.get_client()
        details = asking.get_string_details("gated", "mine", EvaluationContext("ann"))
        assert (details.value, details.reason) == ("green", "PREREQUISITE_FAILED")
        assert asking.get_string_value("ruled", "mine", EvaluationContext("ann", {"country": "de"})) == "green"
    finally:
        api.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_follows_on_its_own() -> None:
    data = TestData.data_source()
    data.update(data.flag("checkout").variation_for_all(variation=True))
    with open_client(data) as client:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                before = client.is_enabled("checkout", ANN)
                data.update(data.flag("checkout").on(on=False))
                after, state = client.is_enabled("checkout", ANN), client.status.state
                os.write(writing, f"{before} {after} {state}".encode())
                client.close()
                os.write(writing, b" closed")
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as answers:
            assert answers.read() == "True False READY closed"
        assert client.is_enabled("checkout", ANN) is True


class Refusing(BaseHTTPRequestHandler):
    """A server that knows no SDK key."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


def test_a_refused_key_is_an_error_that_does_not_show_it() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with launchdarkly_client(ENVIRONMENT, stream_uri=address, base_uri=address, send_events=False) as client:
            wait_until(lambda: client.status.state is State.ERROR)
            assert "refuses the SDK key" in client.status.why
            assert SDK_KEY not in f"{client!r} {client.status}"
            detail = client.get_value_detail("plain", "mine", ANN)
            assert (detail.value, detail.error_code) == ("mine", ErrorCode.PROVIDER_NOT_READY)
        server.shutdown()


def test_a_silent_server_keeps_nobody_waiting_and_is_an_error_in_the_end() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        # It accepts connections and never answers.
        address = f"http://127.0.0.1:{server.server_port}"
        with launchdarkly_client(ENVIRONMENT, stream_uri=address, base_uri=address, send_events=False) as client:
            assert client.status.state is State.STARTING
            assert client.get_value("plain", "mine", ANN) == "mine"
            assert client.evaluate_all(ANN) == {}
            wait_until(lambda: client.status.state is State.ERROR)
            assert client.status.why == "LaunchDarkly has not answered yet"


def test_without_a_key_or_with_an_impossible_one_nothing_is_asked() -> None:
    for environment in ({}, {SDK_KEY_VARIABLE: " "}, {SDK_KEY_VARIABLE: "two words"}):
        with pytest.raises(InputError) as caught:
            launchdarkly_client(environment)
        assert "two words" not in str(caught.value)
    assert read_sdk_key({SDK_KEY_VARIABLE: f" {SDK_KEY}\n"}) == SDK_KEY


def test_an_option_that_the_sdk_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="no_such_option"):
        launchdarkly_client(ENVIRONMENT, no_such_option=1)
