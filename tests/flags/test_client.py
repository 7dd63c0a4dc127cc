"""The client's calls, its states and events, and that nothing ever reaches who asks."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.flags.client import Client
from switchover.flags.compiler import compile_set
from switchover.flags.context import NOBODY, Context
from switchover.flags.events import Event, EventKind
from switchover.flags.flag_set import FlagSet
from switchover.flags.memory_store import MemoryStore
from switchover.flags.resolution import ErrorCode, Reason, Resolution
from switchover.flags.rules import build_targeting, percentage
from switchover.flags.snapshot import Note, Snapshot
from switchover.flags.status import State
from tests.flags.client_cases import DOCUMENT, ON_OFF, FailingFeed, Feed, Recorded, a_snapshot, flag

ADA = Context("ada")
NOTE = Note("ada", "a test", "set")


@pytest.fixture
def feed() -> Feed:
    return Feed(a_snapshot())


@pytest.fixture
def client(feed: Feed) -> Iterator[Client]:
    with Client(feed) as client:
        yield client


@pytest.mark.parametrize("asker", [ADA, "ada", {"targetingKey": "ada"}])
def test_who_asks_is_a_context_a_key_or_a_mapping(client: Client, asker: Any) -> None:
    assert client.is_enabled("ada", asker) is True
    assert client.variant("ada", asker) == "on"
    assert client.get_value("ada", default=False, context=asker) is True
    assert client.evaluate_all(asker)["ada"] is True
    assert client.is_enabled("ada", "bob") is False


@pytest.mark.parametrize("asker", [None, 7, b"ada", ["ada"], object(), float("nan")])
def test_anything_else_is_no_context(client: Client, asker: Any) -> None:
    assert client.is_enabled("on", asker) is False
    assert client.is_enabled("on", asker, default=True) is True
    assert client.is_enabled_detail("on", asker).error_code is ErrorCode.INVALID_CONTEXT
    assert client.get_value("count", 8, asker) == 8
    assert client.percentage("unknown", 100, asker) is False
    assert client.evaluate_all(asker) == {}
    details = client.evaluate_all_detail(asker)
    assert {detail.error_code for detail in details.values()} == {ErrorCode.INVALID_CONTEXT}


@pytest.mark.parametrize(
    ("key", "default", "value", "code"),
    [
        ("on", False, True, None),
        ("on", 0, 0, ErrorCode.TYPE_MISMATCH),
        ("on", 0.5, 0.5, ErrorCode.TYPE_MISMATCH),
        ("on", "x", "x", ErrorCode.TYPE_MISMATCH),
        ("count", 8, 3, None),
        ("count", 8.5, 3.0, None),
        ("count", True, True, ErrorCode.TYPE_MISMATCH),
        ("many", 8, 10, None),
        ("half", 8, 8, ErrorCode.TYPE_MISMATCH),
        ("half", 8.0, 0.5, None),
        ("colour", "grey", "red", None),
        ("colour", None, "red", None),
        ("colour", [], [], ErrorCode.TYPE_MISMATCH),
        ("colour", (), (), ErrorCode.TYPE_MISMATCH),
        ("tree", {}, {"list": [1, {"x": 2}]}, None),
        ("unknown", 8, 8, ErrorCode.FLAG_NOT_FOUND),
        ("broken", "x", "x", ErrorCode.GENERAL),
        ("asleep", True, True, None),
    ],
)
def test_a_value_is_of_the_defaults_type(client: Client, key: str, default: Any, value: Any, code: Any) -> None:
    found = client.get_value(key, default)
    detail = client.get_value_detail(key, default)
    assert (found, type(found)) == (value, type(value))
    assert (detail.value, type(detail.value), detail.error_code) == (value, type(value), code)


def test_the_default_stands_where_there_is_no_boolean(client: Client) -> None:
    for key in ("unknown", "asleep", "broken", "colour", "count"):
        assert client.is_enabled(key) is False
        assert client.is_enabled(key, default=True) is True
        assert client.is_enabled_detail(key, default=True).value is True
    assert client.is_enabled_detail("asleep").reason is Reason.DISABLED


def test_a_detail_says_why(client: Client) -> None:
    detail = client.is_enabled_detail("ada", ADA)
    assert (detail.value, detail.variant, detail.reason, detail.rule) == (True, "on", Reason.TARGETING_MATCH, 0)
    assert client.is_enabled_detail("on").reason is Reason.STATIC
    mismatch = client.get_value_detail("on", 1)
    assert mismatch.error_message == "expected a whole number, found a boolean"


def test_a_variant_is_its_name(client: Client) -> None:
    assert client.variant("colour") == "warm"
    assert client.variant("unknown") is None
    assert client.variant("unknown", default="control") == "control"
    detail = client.variant_detail("colour")
    assert (detail.variant, detail.value) == ("warm", "red")
    assert client.variant_detail("unknown", default="control").variant == "control"


def test_a_percentage_is_that_of_a_stored_rule_of_the_same_key() -> None:
    rule = build_targeting(percentage(30.25))
    stored = MemoryStore.from_document({"flags": {"new": flag(ON_OFF, "off", targeting=rule)}})
    with Client(stored.feed()) as with_flag, Client(MemoryStore().feed()) as without:
        people = [Context(f"user-{number}") for number in range(3000)]
        chosen = [who for who in people if without.percentage("new", 30.25, who)]
        assert chosen == [who for who in people if with_flag.is_enabled("new", who)]
        assert 700 < len(chosen) < 1100
        assert all(without.percentage("new", 30.26, who) for who in chosen)
        assert without.percentage_detail("new", 30.25, chosen[0]).reason is Reason.SPLIT


def test_a_stored_flag_decides_over_a_percentage(client: Client) -> None:
    assert client.percentage("on", 0, ADA) is True
    assert client.percentage("asleep", 100, ADA) is False
    assert client.percentage("broken", 100, ADA) is False


@pytest.mark.parametrize("percent", [-5, 100.01, 500, float("nan"), float("inf"), float("-inf"), "50", None])
def test_what_is_no_percentage_is_off_and_an_error(client: Client, percent: Any) -> None:
    assert client.percentage("unknown", percent, ADA) is False
    detail = client.percentage_detail("unknown", percent, ADA)
    assert (detail.value, detail.error_code) == (False, ErrorCode.GENERAL)
    assert "percentage" in (detail.error_message or "")


def test_all_percent_is_everybody_and_less_needs_a_key(client: Client) -> None:
    assert client.percentage("unknown", 100) is True
    assert client.percentage("unknown", 0) is False
    assert client.percentage_detail("unknown", 99).error_code is ErrorCode.TARGETING_KEY_MISSING


def test_exactly_one_of_two_is_called(client: Client) -> None:
    called: list[str] = []
    on, off = (lambda name=name: called.append(name) or name for name in ("on", "off"))
    assert client.with_flag("on", on, off) == "on"
    assert client.with_flag("unknown", on, off) == "off"
    assert client.with_flag("unknown", on, off, default=True) == "on"
    answer, detail = client.with_flag_detail("asleep", on, off)
    assert (answer, detail.reason) == ("off", Reason.DISABLED)
    assert called == ["on", "off", "on", "off"]


def test_what_the_called_one_raises_passes(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        client.with_flag("on", lambda: 1 // 0, lambda: 0)


def test_all_flags_are_answered_from_one_version(client: Client) -> None:
    values = client.evaluate_all(ADA)
    assert values == {
        "on": True, "ada": True, "count": 3, "many": 10.0, "half": 0.5, "colour": "red", "trial": True,
        "tree": {"list": [1, {"x": 2}]},
    }  # fmt: skip
    details = client.evaluate_all_detail(ADA)
    assert details.keys() == {*values, "asleep", "broken"}
    assert details["asleep"].value is None


def test_a_changed_value_is_the_callers_own(client: Client) -> None:
    for tree in (client.get_value("tree", {}), client.evaluate_all()["tree"], client.variant_detail("tree").value):
        assert isinstance(tree, dict)
        tree["list"][1]["x"] = "changed"
    assert client.get_value("tree", {}) == {"list": [1, {"x": 2}]}


def test_answers_are_counted_once_each(feed: Feed) -> None:
    with Client(feed) as client:
        client.is_enabled("on")
        client.is_enabled("on", "ada")
        client.get_value("on", default=False)
        client.variant("on")
        client.percentage("on", 5)
        client.evaluate_all()
        client.evaluate_all_detail()
        assert client.resolve("on").count() == 8


def test_an_experiment_exposes_who_asks_except_in_a_batch(feed: Feed) -> None:
    recorder = Recorded()
    with Client(feed, recorder=recorder) as client:
        client.is_enabled("trial", ADA)
        client.get_value("trial", default=False, context="bob")
        client.evaluate_all(ADA)
        client.evaluate_all_detail(ADA)
        client.is_enabled("on", ADA)
        client.track("bought", "ada", 9.5)
        client.track("bought", 7)  # type: ignore[arg-type]
    assert recorder.calls == [
        ("start",),
        ("swapped", "FlagSet"),
        ("exposed", "trial", "on", "ada"),
        ("exposed", "trial", "on", "bob"),
        ("tracked", "bought", "ada", 9.5),
        ("stop",),
    ]


def test_a_recorder_and_a_feed_that_fail_are_logged_once_and_not_noticed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Client(FailingFeed(a_snapshot()), recorder=Recorded(OSError())) as client:
        for _ in range(3):
            assert client.is_enabled("trial", ADA) is True
            client.track("bought", ADA)
    kinds = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert sorted(map(str, kinds)) == [
        "recording an event",
        "recording an exposure",
        "starting the feed",
        "starting the recorder",
        "stopping the feed",
        "stopping the recorder",
        "telling the recorder of a set",
    ]


def test_before_the_first_set_callers_get_their_defaults() -> None:
    feed = Feed()
    with Client(feed) as client:
        assert client.status.state is State.STARTING
        assert client.wait_ready(0) is False
        assert client.is_enabled_detail("on").error_code is ErrorCode.PROVIDER_NOT_READY
        feed.to.confirm()
        assert client.status.state is State.STARTING
        feed.to.lose("nobody there")
        assert (client.status.state, client.status.why) == (State.ERROR, "nobody there")
        feed.to.replace(a_snapshot())
        assert client.wait_ready(0) is True
        assert client.status.state is State.READY
        assert client.is_enabled_detail("nope").error_code is ErrorCode.FLAG_NOT_FOUND


def test_who_waits_is_not_answered_from_a_kept_set_while_the_place_is_asked() -> None:
    feed = Feed()
    with Client(feed) as client:
        feed.to.replace(a_snapshot(1), vouched=False, age_seconds=60)
        waiting = threading.Thread(target=lambda: waited.append((client.wait_ready(30), client.status.version)))
        waited: list[tuple[bool, int]] = []
        waiting.start()
        waiting.join(0.1)
        assert waited == []
        feed.to.replace(a_snapshot(2))
        waiting.join(30)
    assert waited == [(True, 2)]


@pytest.mark.parametrize("seconds", [0, 30])
def test_who_waits_goes_on_with_a_kept_set_when_the_place_is_silent(seconds: int) -> None:
    feed = Feed()
    with Client(feed) as client:
        feed.to.replace(a_snapshot(1), vouched=False, age_seconds=60)
        if seconds:
            feed.to.lose("no answer in time")
        assert client.wait_ready(seconds) is True
        assert client.status.state is State.STALE
        assert client.is_enabled("on") is True


def test_events_tell_what_happened(feed: Feed) -> None:
    heard: list[Event] = []
    feed.snapshot = None
    with Client(feed) as client:
        client.subscribe(heard.append)
        feed.to.replace(a_snapshot())
        feed.to.confirm()
        feed.to.apply(a_snapshot(2, on=flag(ON_OFF, "off"), fresh=flag(ON_OFF, "on")), {})
        feed.to.lose("cut off")
        assert client.is_enabled("fresh") is True
        assert client.status.state is State.STALE
        feed.to.confirm()
        feed.to.replace(a_snapshot(3))
    assert heard == [
        Event(EventKind.READY, 1),
        Event(EventKind.CHANGED, 2, ("on", "fresh")),
        Event(EventKind.STALE, 2, why="cut off"),
        Event(EventKind.READY, 2),
        Event(EventKind.CHANGED, 3, ("on", "fresh")),
    ]


def test_an_unsubscribed_handler_hears_nothing_and_a_failing_one_stops_nobody(client: Client, feed: Feed) -> None:
    heard: list[Event] = []

    def fail(_event: Event) -> None:
        raise RuntimeError

    client.subscribe(fail)
    end = client.subscribe(heard.append)
    feed.to.lose("gone")
    end()
    end()
    feed.to.confirm()
    assert [event.kind for event in heard] == [EventKind.STALE]


def test_the_age_is_by_a_steady_clock() -> None:
    now = [100.0]
    feed = Feed(a_snapshot())
    with Client(feed, monotonic=lambda: now[0]) as client:
        now[0] = 107.5
        assert client.status.age_seconds == 7.5
        feed.to.lose("gone")
        assert client.status.age_seconds == 7.5
        feed.to.confirm()
        assert client.status.age_seconds == 0


def test_last_known_values_are_answered_and_not_vouched_for() -> None:
    now, heard = [100.0], list[Event]()
    feed = Feed()
    with Client(feed, monotonic=lambda: now[0]) as client:
        client.subscribe(heard.append)
        feed.to.replace(a_snapshot(), vouched=False, age_seconds=3600.0)
        assert client.wait_ready(0)
        assert (client.is_enabled("on"), client.status.state, client.status.age_seconds) == (True, State.STALE, 3600.0)
        assert "not heard of" in client.status.why
        now[0] = 110.0
        feed.to.confirm()
        assert (client.status.state, client.status.age_seconds, client.status.why) == (State.READY, 0, "")
        now[0] = 120.0
        # A fork: how long ago that was is known here.
        feed.to.replace(a_snapshot(), vouched=False)
        assert (client.status.state, client.status.age_seconds) == (State.STALE, 10.0)
    assert [event.kind for event in heard] == [EventKind.STALE, EventKind.READY, EventKind.STALE]


def test_a_compiler_that_fails_keeps_the_last_set(feed: Feed) -> None:
    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        if snapshot.version == 2:
            raise RuntimeError
        return compile_set(snapshot, before=before)

    with Client(feed, compiler=compiler) as client:
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        assert (client.status.state, client.status.version) == (State.STALE, 1)
        assert client.is_enabled("on") is True
        feed.to.replace(a_snapshot(3, on=flag(ON_OFF, "off")))
        assert (client.status.state, client.is_enabled("on")) == (State.READY, False)


def test_a_set_that_could_not_be_compiled_is_not_vouched_for_and_is_tried_again(feed: Feed) -> None:
    now, fails = [0.0], [False]
    tried: list[int] = []
    heard: list[Event] = []

    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        tried.append(snapshot.version)
        if fails[0]:
            raise MemoryError
        return compile_set(snapshot, before=before)

    with Client(feed, compiler=compiler, monotonic=lambda: now[0]) as client:
        client.subscribe(heard.append)
        fails[0] = True
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        for _ in range(3):
            feed.to.confirm()
        assert (client.status.state, client.status.why) == (State.STALE, "version 2 cannot be compiled")
        assert (tried, feed.to.served.version) == ([1, 2], 1)
        now[0] = 5.0
        feed.to.confirm()
        feed.to.lose("cut off")
        feed.to.confirm()
        assert (client.status.why, client.status.age_seconds, tried) == ("version 2 cannot be compiled", 5.0, [1, 2, 2])
        fails[0], now[0] = False, 10.0
        feed.to.confirm()
        assert (client.status.state, client.status.age_seconds, feed.to.served.version) == (State.READY, 0, 2)
        assert client.is_enabled("on") is False
        feed.to.confirm()
        assert tried == [1, 2, 2, 2]
    kinds = [(event.kind, event.why) for event in heard]
    failed = (EventKind.STALE, "version 2 cannot be compiled")
    assert kinds == [failed, (EventKind.STALE, "cut off"), failed, (EventKind.READY, ""), (EventKind.CHANGED, "")]


def test_a_feed_that_cannot_be_started_is_not_ready() -> None:
    with Client(FailingFeed(a_snapshot())) as client:
        assert (client.status.state, client.status.why) == (State.STALE, "the feed cannot be started: OSError")
        assert client.is_enabled("on") is True
    with Client(FailingFeed()) as client:
        assert client.status.state is State.ERROR


def test_a_closed_client_answers_from_what_it_had_and_says_that_it_is_old(feed: Feed) -> None:
    client = Client(feed)
    client.close()
    client.close()
    assert feed.stopped == 1
    for _ in range(2):
        assert client.is_enabled("on") is True
        assert (client.status.state, client.status.why) == (State.STALE, "the client is closed")
        # A thread that was in the middle of it.
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        feed.to.confirm()
        feed.to.lose("too late")


def test_a_client_in_memory_that_nobody_has_any_more_goes() -> None:
    store = MemoryStore.from_document({"flags": {"a": flag(ON_OFF, "on")}})
    gone = weakref.ref(Client(store.feed()))
    gc.collect()
    assert gone() is None
    assert list(store.acknowledgements()) == []
    with Client(store.feed()) as client:
        store.write(store.read(), {"flags/a": flag(ON_OFF, "off")}, NOTE)
        assert client.is_enabled("a") is False
        assert [each.version for each in store.acknowledgements()] == [2]


def test_a_store_in_memory_says_of_a_client_what_it_serves() -> None:
    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        if snapshot.version == 2:
            raise MemoryError
        return compile_set(snapshot, before=before)

    store = MemoryStore.from_document({"flags": {"a": flag(ON_OFF, "on")}})
    with Client(store.feed(), compiler=compiler):
        store.write(store.read(), {"flags/a": flag(ON_OFF, "off")}, NOTE)
        assert [each.version for each in store.acknowledgements()] == [1]


def test_a_value_too_deep_to_be_copied_is_no_value(feed: Feed) -> None:
    """Our own compiler refuses such a flag; somebody else's SDK may not."""
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    resolution = Resolution("deep", deep, "x", Reason.STATIC)

    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        inner = compile_set(snapshot, before=before)
        return replace(inner, answers={**inner.answers, "deep": lambda _context: resolution})

    with Client(feed, compiler=compiler) as client:
        assert client.get_value("deep", {"x": 1}) == {"x": 1}
        assert client.get_value_detail("deep", {"x": 1}).error_code is ErrorCode.TYPE_MISMATCH
        assert client.get_value_detail("deep", {}).error_message == "expected an object, found levels without end"
        assert client.get_value("deep", None) is None
        assert client.evaluate_all()["on"] is True
        assert "deep" not in client.evaluate_all()
        assert client.evaluate_all_detail()["deep"].error_code is ErrorCode.TYPE_MISMATCH
        client._flag_set = replace(client._flag_set, answers=client._answers, answer_all=lambda _: {"deep": resolution})
        assert client.evaluate_all() == {}


def test_an_answer_that_raises_is_an_error_of_that_flag_alone(feed: Feed) -> None:
    def raising(_context: Context) -> Any:
        raise KeyError

    with Client(feed) as client:
        client._answers = {**client._answers, "on": raising}
        assert client.is_enabled("on", default=True) is True
        assert client.is_enabled_detail("on").error_code is ErrorCode.GENERAL
        assert client.evaluate_all(ADA).keys() >= {"ada", "count"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    key=st.sampled_from([*DOCUMENT["flags"], "unknown"]) | json_values,  # type: ignore[call-overload]
    asker=json_values | st.builds(Context, json_values, json_values),
    default=json_values,
)
def test_no_call_raises_whatever_it_is_given(key: Any, asker: Any, default: Any) -> None:
    with Client(Feed(a_snapshot())) as client:
        client.is_enabled(key, asker)
        client.is_enabled_detail(key, asker)
        client.get_value(key, default, asker)
        client.get_value_detail(key, default, asker)
        client.variant(key, asker)
        client.variant_detail(key, asker)
        client.percentage(key, default, asker)
        client.percentage_detail(key, default, asker)
        client.evaluate_all(asker)
        client.evaluate_all_detail(asker)
        client.resolve(key, asker)
        client.track(key, asker, default)


def test_readers_never_see_half_a_change() -> None:
    store = MemoryStore.from_document({"flags": {"a": flag(ON_OFF, "on"), "b": flag(ON_OFF, "on")}})
    wrong: list[object] = []
    done = threading.Event()

    def read(client: Client) -> None:
        while not done.is_set():
            values = client.evaluate_all()
            if values["a"] is not values["b"]:
                wrong.append(values)

    with Client(store.feed()) as client:
        threads = [threading.Thread(target=read, args=(client,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(200):
            both = flag(ON_OFF, "on" if number % 2 else "off")
            store.write(store.read(), {"flags/a": both, "flags/b": both}, NOTE)
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_memory_stays_flat_over_200000_evaluations(feed: Feed) -> None:
    def ask(client: Client, times: int) -> None:
        for number in range(times):
            who = Context(f"user-{number % 1000}")
            client.is_enabled("ada", who)
            client.get_value("count", 0, who)
            client.is_enabled("unknown", who)
            client.percentage(f"code-{number % 50}", 25, who)

    with Client(feed) as client:
        ask(client, 2000)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            ask(client, 50_000)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 20_000


def test_flags_are_imported_without_what_an_application_may_not_have() -> None:
    heavy = "redis openfeature prefect pydantic click ldclient rich starlette prometheus_client"
    script = (
        "import sys, switchover.flags; from switchover.flags import percentage, open_client;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_a_context_shows_no_values() -> None:
    assert "secret" not in repr(Context("ada", {"email": "secret"}))
    assert repr(NOBODY) == "Context(None, [])"
