"""The provider through the real OpenFeature API: what Appendix F of the specification asks of a provider, and more."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions, Reason
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.openfeature import SwitchoverProvider
from switchover.flags.ports import Listener
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Snapshot, parts_of
from tests.flags.openfeature_cases import ALLOWED, DOCUMENT, FLAGS, STRANGER, TEMPLATE, flag

PATIENCE_SECONDS = 10.0
BALLMER = EvaluationContext(attributes={"email": "ballmer@macrosoft.com"})
Ask = Callable[..., FlagEvaluationDetails[Any]]


class Place:
    """A feed whose place the test plays."""

    def __init__(self, first: Snapshot | None) -> None:
        self.snapshot = first
        self.listener: Listener | None = None

    def start(self, listener: Listener) -> None:
        self.listener = listener
        if self.snapshot is not None:
            listener.replace(self.snapshot)
            listener.confirm()

    def stop(self) -> None:
        self.listener = None

    def say(self) -> Listener:
        assert self.listener is not None
        return self.listener


class Remembering:
    """A recorder that keeps the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, float | None]] = []

    def swapped(self, flag_set: object) -> None: ...

    def exposed(self, resolution: Resolution, context: Context) -> None: ...

    def tracked(self, event: str, context: Context, value: float | None) -> None:
        self.events.append((event, context.targeting_key, value))

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Heard:
    """Handlers of all provider events; `wait` gives what came with one of them."""

    def __init__(self, client: OpenFeatureClient) -> None:
        self.details: list[tuple[ProviderEvent, EventDetails]] = []
        self._news = threading.Condition()
        for event in ProviderEvent:
            client.add_handler(event, self._handler(event))

    def _handler(self, event: ProviderEvent) -> Callable[[EventDetails], None]:
        def handle(details: EventDetails) -> None:
            # A client is told at once how the provider before was.
            if details.provider_name == "switchover":
                with self._news:
                    self.details.append((event, details))
                    self._news.notify_all()

        return handle

    def wait(self, event: ProviderEvent, times: int = 1) -> EventDetails:
        def came() -> list[EventDetails]:
            return [details for each, details in self.details if each is event]

        with self._news:
            assert self._news.wait_for(lambda: len(came()) >= times, PATIENCE_SECONDS), f"{event} did not come"
            return came()[times - 1]


@pytest.fixture(autouse=True)
def _clean_api() -> Iterator[None]:
    yield
    api.shutdown()


@pytest.fixture
def place() -> Place:
    return Place(Snapshot(1, "tests", parts_of(DOCUMENT)))


@pytest.fixture
def flags(place: Place) -> Iterator[Client]:
    with Client(place) as client:
        yield client


@pytest.fixture
def client(flags: Client) -> OpenFeatureClient:
    api.set_provider_and_wait(SwitchoverProvider(flags))
    return api.get_client()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, client: OpenFeatureClient) -> Ask:
    def ask(kind: str, key: str, default: Any, context: EvaluationContext | None = None) -> FlagEvaluationDetails[Any]:
        if request.param == "sync":
            details: FlagEvaluationDetails[Any] = getattr(client, f"get_{kind}_details")(key, default, context)
            return details
        details = asyncio.run(getattr(client, f"get_{kind}_details_async")(key, default, context))
        assert isinstance(details, FlagEvaluationDetails)
        return details

    return ask


def wait_for_status(client: OpenFeatureClient, status: ProviderStatus) -> None:
    news = threading.Event()
    for _ in range(int(PATIENCE_SECONDS * 100)):
        if client.get_provider_status() is status:
            return
        news.wait(0.01)
    pytest.fail(f"the provider is {client.get_provider_status()}, not {status}")


@pytest.mark.parametrize(
    ("kind", "key", "default", "value", "variant"),
    [
        ("boolean", "boolean-flag", False, True, "on"),
        ("string", "string-flag", "bye", "hi", "greeting"),
        ("integer", "integer-flag", 1, 10, "ten"),
        ("float", "float-flag", 0.1, 0.5, "half"),
        ("object", "object-flag", {}, TEMPLATE, "template"),
        ("boolean", "boolean-zero-flag", True, False, "zero"),
        ("integer", "integer-zero-flag", 1, 0, "zero"),
        ("float", "float-zero-flag", 0.1, 0.0, "zero"),
        ("string", "string-zero-flag", "fallback", "", "zero"),
        ("object", "object-zero-flag", {"a": 1}, {}, "zero"),
        ("object", "list-flag", [], [1, 2, 3], "three"),
        ("integer", "large-integer-flag", 1, 2147483647, "max-int32"),
        ("integer", "huge-integer-flag", 1, 9007199254740991, "max-safe"),
        ("integer", "integral-float-flag", 1, 10, "ten"),
        ("float", "integral-float-flag", 1.0, 10.0, "ten"),
        ("float", "integer-flag", 0.1, 10.0, "ten"),
    ],
)
def test_a_flag_without_rules_gives_its_value_its_variant_and_the_reason_static(
    ask: Ask, kind: str, key: str, default: object, value: object, variant: str
) -> None:
    details = ask(kind, key, default)
    assert (details.value, type(details.value)) == (value, type(value))
    assert (details.flag_key, details.variant, details.reason) == (key, variant, Reason.STATIC)
    assert details.reason is Reason.STATIC
    assert (details.error_code, details.error_message) == (None, None)


@pytest.mark.parametrize(
    ("kind", "key", "default"),
    [
        ("boolean", "string-flag", False),
        ("integer", "string-flag", 1),
        ("float", "string-flag", 0.1),
        ("object", "string-flag", {}),
        ("boolean", "wrong-flag", False),
        ("string", "boolean-flag", "fallback"),
        ("integer", "boolean-flag", 1),
        ("float", "boolean-flag", 0.1),
        ("object", "boolean-flag", {"a": 1}),
        ("boolean", "integer-flag", False),
        ("string", "integer-flag", "fallback"),
        ("boolean", "float-flag", False),
        ("string", "float-flag", "fallback"),
        ("integer", "float-flag", 1),
        ("boolean", "integer-zero-flag", True),
        ("boolean", "object-flag", False),
        ("string", "object-flag", "fallback"),
        ("integer", "object-flag", 1),
        ("float", "object-flag", 0.1),
    ],
)
def test_a_value_of_another_type_gives_the_default_and_a_type_mismatch(
    ask: Ask, kind: str, key: str, default: object
) -> None:
    details = ask(kind, key, default)
    assert (details.value, type(details.value)) == (default, type(default))
    assert (details.reason, details.error_code) == (Reason.ERROR, ErrorCode.TYPE_MISMATCH)
    assert key in (details.error_message or "")
    assert details.variant is None


@pytest.mark.parametrize(
    ("kind", "default"),
    [("boolean", False), ("string", "bye"), ("integer", 1), ("float", 0.1), ("object", {"a": 1})],
)
def test_an_unknown_flag_gives_the_default_and_flag_not_found(ask: Ask, kind: str, default: object) -> None:
    details = ask(kind, "missing-flag", default)
    assert (details.value, details.reason) == (default, Reason.ERROR)
    assert details.error_code is ErrorCode.FLAG_NOT_FOUND
    assert "missing-flag" in (details.error_message or "")


@pytest.mark.parametrize(
    ("kind", "default"), [("boolean", False), ("string", "bye"), ("integer", 1), ("float", 0.1), ("float", 1)]
)
def test_a_disabled_flag_gives_the_default_without_an_error(ask: Ask, kind: str, default: object) -> None:
    details = ask(kind, f"disabled-{kind}-flag", default)
    assert (details.value, details.reason, details.error_code) == (default, Reason.DISABLED, None)


def test_a_flag_without_a_default_variant_gives_the_callers_default(ask: Ask) -> None:
    details = ask("boolean", "null-default-flag", True)  # noqa: FBT003 - the default of the flag
    assert (details.value, details.reason, details.error_code) == (True, Reason.DEFAULT, None)


@pytest.mark.parametrize(
    ("context", "value", "reason"),
    [
        (EvaluationContext(ALLOWED), "hit", Reason.TARGETING_MATCH),
        (EvaluationContext(STRANGER), "miss", Reason.DEFAULT),
        (None, "miss", Reason.DEFAULT),
    ],
)
def test_the_targeting_key_reaches_the_rule(
    ask: Ask, context: EvaluationContext | None, value: str, reason: Reason
) -> None:
    details = ask("string", "targeting-key-flag", "fallback", context)
    assert (details.value, details.variant, details.reason, details.error_code) == (value, value, reason, None)


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [("boolean", True, False), ("string", "hi", ""), ("integer", 1, 0), ("float", 0.1, 0.0), ("object", {"a": 1}, {})],
)
@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (BALLMER, Reason.TARGETING_MATCH),
        (EvaluationContext(attributes={"email": "ballmer@none.com"}), Reason.DEFAULT),
        (EvaluationContext(attributes={"email": None}), Reason.DEFAULT),  # type: ignore[dict-item]
        (None, Reason.DEFAULT),
    ],
)
def test_a_rule_may_serve_a_zero(
    ask: Ask, kind: str, default: object, value: object, context: EvaluationContext | None, reason: Reason
) -> None:
    details = ask(kind, f"{kind}-targeted-zero-flag", default, context)
    assert (details.value, details.variant, details.reason) == (value, "zero", reason)


def test_several_attributes_reach_the_rule_as_they_are(ask: Ask) -> None:
    attributes: Any = {"email": "ballmer@macrosoft.com", "role": "admin", "age": 65, "customer": False}
    details = ask("string", "context-aware", "EXTERNAL", EvaluationContext(attributes=attributes))
    assert (details.value, details.reason) == ("INTERNAL", Reason.TARGETING_MATCH)


def test_a_context_does_not_disturb_a_flag_without_rules(ask: Ask) -> None:
    attributes: Any = {"a": [1, {"b": None}]}
    details = ask("string", "string-flag", "bye", EvaluationContext(STRANGER, attributes))
    assert (details.value, details.error_code) == ("hi", None)


def test_contexts_of_all_levels_are_one(ask: Ask, client: OpenFeatureClient) -> None:
    api.set_evaluation_context(EvaluationContext(STRANGER, {"email": "nobody@none.com"}))
    client.context = EvaluationContext(attributes={"email": "ballmer@macrosoft.com"})
    assert ask("boolean", "boolean-targeted-zero-flag", True).reason is Reason.TARGETING_MATCH  # noqa: FBT003 - as above
    assert ask("string", "targeting-key-flag", "fallback", EvaluationContext(ALLOWED)).value == "hit"


def test_the_metadata_of_the_flag_come_with_the_answer(ask: Ask) -> None:
    found = ask("boolean", "metadata-flag", True).flag_metadata  # noqa: FBT003 - as above
    assert {"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}.items() <= found.items()


def test_an_error_of_a_flag_comes_with_its_metadata_too(ask: Ask) -> None:
    details = ask("string", "metadata-flag", "fallback")
    assert details.error_code is ErrorCode.TYPE_MISMATCH
    assert details.flag_metadata["string"] == "1.0.2"


def test_a_failed_prerequisite_is_a_reason_of_its_own_and_no_error(ask: Ask) -> None:
    details = ask("boolean", "needs-boolean-flag", True)  # noqa: FBT003 - as above
    assert (details.value, details.reason, details.error_code) == (False, "PREREQUISITE_FAILED", None)


def test_a_broken_flag_is_an_error_and_the_others_answer(ask: Ask) -> None:
    details = ask("boolean", "broken-flag", False)  # noqa: FBT003 - as above
    assert (details.value, details.reason) == (False, Reason.ERROR)
    assert details.error_code is not None
    assert ask("boolean", "boolean-flag", False).value is True  # noqa: FBT003 - as above


def test_what_a_caller_does_to_an_object_changes_nothing_for_the_next(ask: Ask) -> None:
    ask("object", "object-flag", {}).value["title"] = "spoilt"
    ask("object", "list-flag", []).value.append(4)
    assert ask("object", "object-flag", {}).value == TEMPLATE
    assert ask("object", "list-flag", []).value == [1, 2, 3]


def test_an_answer_that_is_assigned_to_changes_nothing_for_the_next(flags: Client) -> None:
    provider = SwitchoverProvider(flags)
    first = provider.resolve_boolean_details("boolean-flag", default_value=False)
    first.value, first.variant = False, "spoilt"
    second = provider.resolve_boolean_details("boolean-flag", default_value=False)
    assert (second.value, second.variant) == (True, "on")


def test_the_context_is_left_as_it_was(ask: Ask) -> None:
    attributes: Any = {"email": "ballmer@macrosoft.com", "list": [1, 2]}
    context = EvaluationContext(ALLOWED, attributes)
    ask("boolean", "boolean-targeted-zero-flag", True, context)  # noqa: FBT003 - as above
    assert context == EvaluationContext(ALLOWED, {"email": "ballmer@macrosoft.com", "list": [1, 2]})


@pytest.mark.parametrize("key", ["targeting-key-flag", "boolean-flag", "context-aware", "missing-flag"])
def test_no_context_whatever_it_holds_lets_an_exception_out(ask: Ask, key: str) -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    odd: list[Any] = [float("nan"), 10**400, circle, object(), b"bytes", {1: 2}, "\ud800"]
    for each in odd:
        assert ask("string", key, "default", EvaluationContext(each, {"customer": each, "email": each})).flag_key == key


def test_a_hook_sees_the_answer_and_the_errors(client: OpenFeatureClient) -> None:
    seen: list[object] = []

    class Watching(Hook):
        def after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints) -> None:  # noqa: ARG002 - the SDK's signature
            seen.append((hook_context.provider_metadata and hook_context.provider_metadata.name, details.variant))

        def error(self, hook_context: HookContext, exception: Exception, hints: HookHints) -> None:  # noqa: ARG002 - as above
            seen.append((hook_context.flag_key, type(exception).__name__))

    options = FlagEvaluationOptions(hooks=[Watching()])
    client.get_boolean_value("boolean-flag", default_value=False, flag_evaluation_options=options)
    client.get_boolean_value("missing-flag", default_value=False, flag_evaluation_options=options)
    assert seen == [("switchover", "on"), ("missing-flag", "FlagNotFoundError")]


def test_many_coroutines_at_once_get_their_own_answers(client: OpenFeatureClient) -> None:
    async def ask_all() -> list[str]:
        keys = [ALLOWED, STRANGER] * 50
        asking = (
            client.get_string_value_async("targeting-key-flag", "fallback", EvaluationContext(key)) for key in keys
        )
        return list(await asyncio.gather(*asking))

    assert asyncio.run(ask_all()) == ["hit", "miss"] * 50


def test_a_provider_with_a_set_becomes_ready(flags: Client) -> None:
    heard = Heard(api.get_client("shop"))
    api.set_provider(SwitchoverProvider(flags), "shop")
    assert heard.wait(ProviderEvent.PROVIDER_READY).provider_name == "switchover"
    wait_for_status(api.get_client("shop"), ProviderStatus.READY)


def test_registering_does_not_wait_for_a_silent_place() -> None:
    with Client(Place(None)) as flags:
        api.set_provider(SwitchoverProvider(flags, wait_seconds=5.0), "shop")
        client = api.get_client("shop")
        details = client.get_boolean_details("boolean-flag", default_value=False)
        assert client.get_provider_status() is ProviderStatus.NOT_READY
        assert (details.value, details.error_code) == (False, ErrorCode.PROVIDER_NOT_READY)


def test_an_unavailable_place_is_an_error_with_defaults_and_heals_by_itself() -> None:
    place = Place(None)
    with Client(place) as flags:
        client = api.get_client()
        heard = Heard(client)
        api.set_provider(SwitchoverProvider(flags, wait_seconds=0.05))
        heard.wait(ProviderEvent.PROVIDER_ERROR)
        assert client.get_provider_status() is ProviderStatus.ERROR
        details = client.get_boolean_details("boolean-flag", default_value=False)
        assert (details.value, details.reason) == (False, Reason.ERROR)
        place.say().replace(Snapshot(1, "tests", parts_of(DOCUMENT)))
        place.say().confirm()
        wait_for_status(client, ProviderStatus.READY)
        assert client.get_boolean_value("boolean-flag", default_value=False) is True


def test_who_asks_to_wait_is_told_that_nothing_came() -> None:
    with Client(Place(None)) as flags, pytest.raises(ProviderNotReadyError):
        api.set_provider_and_wait(SwitchoverProvider(flags, wait_seconds=0.05))


def test_a_set_that_came_from_a_place_now_lost_makes_the_provider_stale(place: Place, flags: Client) -> None:
    place.say().lose("the place is silent")
    client = api.get_client()
    heard = Heard(client)
    api.set_provider_and_wait(SwitchoverProvider(flags))
    assert heard.wait(ProviderEvent.PROVIDER_STALE).message == "the place is silent"
    wait_for_status(client, ProviderStatus.STALE)
    assert client.get_boolean_value("boolean-flag", default_value=False) is True


def test_losing_the_place_makes_the_provider_stale_and_regaining_it_ready(
    place: Place, client: OpenFeatureClient
) -> None:
    heard = Heard(client)
    heard.wait(ProviderEvent.PROVIDER_READY)
    place.say().lose("the place is silent")
    heard.wait(ProviderEvent.PROVIDER_STALE)
    assert client.get_provider_status() is ProviderStatus.STALE
    assert client.get_boolean_value("boolean-flag", default_value=False) is True
    place.say().confirm()
    heard.wait(ProviderEvent.PROVIDER_READY, times=2)
    assert client.get_provider_status() is ProviderStatus.READY


def test_a_change_is_told_with_its_flags_and_holds(place: Place, client: OpenFeatureClient) -> None:
    heard = Heard(client)
    assert client.get_string_value("changing-flag", "unset") == "foo"
    edits: dict[str, Any] = {"flags/changing-flag": flag({"foo": "foo", "bar": "bar"}, "bar")}
    place.say().apply(Snapshot(1, "tests", parts_of(DOCUMENT)).after(2, edits), edits)
    assert heard.wait(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED).flags_changed == ["changing-flag"]
    assert client.get_string_value("changing-flag", "unset") == "bar"


def test_a_provider_that_was_shut_down_can_be_registered_again(flags: Client, place: Place) -> None:
    provider = SwitchoverProvider(flags)
    api.set_provider_and_wait(provider)
    api.shutdown()
    api.set_provider_and_wait(provider)
    client = api.get_client()
    heard = Heard(client)
    assert client.get_boolean_value("boolean-flag", default_value=False) is True
    place.say().lose("the place is silent")
    heard.wait(ProviderEvent.PROVIDER_STALE)


def test_a_provider_that_was_shut_down_tells_nothing_more(flags: Client, place: Place) -> None:
    provider = SwitchoverProvider(flags)
    api.set_provider_and_wait(provider, "shop")
    heard = Heard(api.get_client("shop"))
    heard.wait(ProviderEvent.PROVIDER_READY)
    provider.shutdown()
    place.say().lose("the place is silent")
    assert [event for event, _ in heard.details] == [ProviderEvent.PROVIDER_READY]


def list_tellers() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "switchover-openfeature"}


def test_a_provider_that_is_replaced_while_it_begins_stays_silent() -> None:
    place = Place(None)
    with Client(place) as flags:
        provider = SwitchoverProvider(flags, wait_seconds=PATIENCE_SECONDS)
        told: list[ProviderEvent] = []
        before = list_tellers()
        provider.attach(lambda _provider, event, _details: told.append(event))
        beginning = threading.Thread(target=provider.initialize, args=(EvaluationContext(),))
        beginning.start()
        provider.shutdown()
        place.say().replace(Snapshot(1, "tests", parts_of(DOCUMENT)))
        place.say().confirm()
        beginning.join()
        assert not list_tellers() - before
        place.say().lose("the place is silent")
        assert told == []


def test_a_provider_that_was_replaced_before_it_began_is_told_of_nothing() -> None:
    with Client(Place(Snapshot(1, "tests", parts_of(DOCUMENT)))) as flags:
        provider = SwitchoverProvider(flags)
        told: list[ProviderEvent] = []
        provider.attach(lambda _provider, event, _details: told.append(event))
        before = list_tellers()
        provider.shutdown()
        provider.initialize(EvaluationContext())
        assert not list_tellers() - before
        assert told == []


def test_only_an_owned_client_is_closed_with_its_provider() -> None:
    kept, owned = Place(None), Place(None)
    with Client(kept) as first:
        second = Client(owned)
        SwitchoverProvider(first).shutdown()
        SwitchoverProvider(second, owns_client=True).shutdown()
        assert kept.listener is not None
        assert owned.listener is None


def test_events_are_tracked_with_their_value_and_who_they_are_of(place: Place) -> None:
    recorder = Remembering()
    with Client(place, recorder=recorder) as flags:
        api.set_provider_and_wait(SwitchoverProvider(flags))
        client = api.get_client()
        client.track("bought", EvaluationContext("ann"), TrackingEventDetails(9.5))
        client.track("looked")
    assert recorder.events == [("bought", "ann", 9.5), ("looked", None, None)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_goes_on_with_the_provider(place: Place, client: OpenFeatureClient) -> None:
    edits: dict[str, Any] = {"flags/changing-flag": flag({"foo": "foo", "bar": "bar"}, "bar")}
    wait_for_status(client, ProviderStatus.READY)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            place.say().apply(Snapshot(1, "tests", parts_of(DOCUMENT)).after(2, edits), edits)
            value = client.get_string_value("changing-flag", "unset")
            place.say().lose("the place is silent")
            os.write(writing, f"{value} {client.get_provider_status().value}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answers:
        assert answers.read() == "bar STALE"
    assert client.get_string_value("changing-flag", "unset") == "foo"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_shuts_the_provider_down_though_the_parent_was_telling(place: Place, flags: Client) -> None:
    place.snapshot = None  # in the child the place says nothing
    provider = SwitchoverProvider(flags)
    api.set_provider_and_wait(provider)
    for each in list_tellers():
        each.join(PATIENCE_SECONDS)
    telling, forked = threading.Event(), threading.Event()

    def tell_slowly(*_: object) -> None:
        telling.set()
        forked.wait(PATIENCE_SECONDS)

    provider.attach(tell_slowly)
    losing = threading.Thread(target=place.say().lose, args=("the place is silent",))
    losing.start()
    assert telling.wait(PATIENCE_SECONDS)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            stopping = threading.Thread(target=provider.shutdown, daemon=True)
            stopping.start()
            stopping.join(PATIENCE_SECONDS / 2)
            os.write(writing, b"waits for ever" if stopping.is_alive() else b"done")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        said = answers.read()
    forked.set()
    losing.join()
    os.waitpid(child, 0)
    assert said == "done"


def test_all_flags_of_the_suite_are_known(flags: Client) -> None:
    assert set(flags.evaluate_all()) <= set(FLAGS)
    assert flags.status.flags == len(FLAGS)
