"""Answers that are remembered: for how long, how many, and never past a change."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from dataclasses import replace

import pytest

from switchover.flags.client import Client
from switchover.flags.compiler import compile_set
from switchover.flags.context import Context
from switchover.flags.context_cache import ContextCache
from switchover.flags.events import Event
from switchover.flags.flag_set import Answer, CompiledFlag, FlagSet
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Json, Snapshot
from tests.flags.client_cases import ON_OFF, Feed, a_snapshot, flag

ADA = Context("ada")


class Remote:
    """A compiler whose answers take a note of who asks; a flag that did not change stays the same object."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._parts: Mapping[str, Json] = {}
        self._made: dict[str, CompiledFlag] = {}

    def __call__(self, snapshot: Snapshot, before: FlagSet) -> FlagSet:
        del before
        for key, compiled in compile_set(snapshot).compiled.items():
            if key not in self._made or self._parts.get(f"flags/{key}") != snapshot.flag(key):
                self._made[key] = CompiledFlag(key, self._noting(compiled.answer), compiled.resolutions)
        self._parts = dict(snapshot.parts)
        made = {part.removeprefix("flags/"): self._made[part.removeprefix("flags/")] for part in snapshot.parts}
        return FlagSet(snapshot, made, {key: each.answer for key, each in made.items()})

    def _noting(self, answer: Answer) -> Answer:
        def note(context: Context) -> Resolution:
            resolution = answer(context)
            self.asked.append(resolution.flag)
            return resolution

        return note


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def feed() -> Feed:
    return Feed(a_snapshot())


def test_a_second_question_is_answered_from_memory_and_counted(remote: Remote, feed: Feed) -> None:
    cache = ContextCache()
    with Client(feed, compiler=remote, cache=cache) as client:
        for _ in range(4):
            assert client.is_enabled("ada", Context("ada", {"n": [1, {"x": None}]})) is True
        assert remote.asked == ["ada"]
        assert client.cache_statistics is not None
        assert (client.cache_statistics.hits, client.cache_statistics.misses) == (3, 1)
        assert client.cache_statistics.hit_rate == 0.75
        assert client.resolve("ada", Context("ada", {"n": [1, {"x": None}]})).count() == 5


def test_without_a_cache_there_is_nothing_to_report(feed: Feed) -> None:
    with Client(feed) as client:
        assert client.cache_statistics is None
    assert ContextCache().statistics.hit_rate == 0


def test_contexts_that_differ_at_all_do_not_share_an_answer(remote: Remote, feed: Feed) -> None:
    askers = [
        Context(), Context(""), Context("ada"), Context("bob"), Context("ada", {"n": 1}), Context("ada", {"n": 1.0}),
        Context("ada", {"n": True}), Context("ada", {"n": "1"}), Context("ada", {"n": None}), Context("ada", {"m": 1}),
        Context(None, {"n": 1}),
    ]  # fmt: skip
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        for asker in [*askers, *askers]:
            client.is_enabled("ada", asker)
            client.is_enabled("on", asker)
        assert len(remote.asked) == 2 * len(askers)


def test_the_order_of_attributes_does_not_matter(remote: Remote, feed: Feed) -> None:
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        client.is_enabled("ada", Context("ada", {"a": 1, "b": 2}))
        client.is_enabled("ada", Context("ada", {"b": 2, "a": 1}))
        assert len(remote.asked) == 1


def test_answers_are_kept_for_a_time(remote: Remote, feed: Feed) -> None:
    now = [0.0]
    with Client(feed, compiler=remote, cache=ContextCache(monotonic=lambda: now[0])) as client:
        client.is_enabled("on")
        now[0] = 299.9
        client.is_enabled("on")
        assert len(remote.asked) == 1
        now[0] = 300.0
        client.is_enabled("on")
        assert len(remote.asked) == 2
        now[0] = 599.9
        client.is_enabled("on")
        assert len(remote.asked) == 2


def test_a_change_of_any_flag_empties_it_at_once(remote: Remote, feed: Feed) -> None:
    heard: list[Event] = []
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        client.subscribe(heard.append)
        assert client.is_enabled("on") is True
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        assert client.is_enabled("on") is False
        assert client.is_enabled("ada", "ada") is True
        feed.to.replace(a_snapshot(3, on=flag(ON_OFF, "off"), other=flag(ON_OFF, "on")))
        assert client.cache_statistics is not None
        assert client.cache_statistics.entries == 0
    assert [event.keys for event in heard] == [("on",), ("other",)]


def test_an_answer_that_was_under_way_during_a_change_is_not_kept(feed: Feed) -> None:
    cache = ContextCache()
    values = iter([True, False])

    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        inner = compile_set(snapshot)
        value = next(values)

        def answer(context: Context) -> Resolution:
            if value:
                feed.to.replace(a_snapshot(2))
            return inner.answers["on" if value else "ada"](context)

        del before
        slow = CompiledFlag("slow", answer, ())
        return FlagSet(snapshot, {"slow": slow}, {"slow": answer})

    with Client(feed, compiler=compiler, cache=cache) as client:
        assert client.is_enabled("slow") is True
        assert client.is_enabled("slow") is False
        assert cache.statistics.hits == 0


def test_an_answer_given_while_a_change_is_taken_in_is_not_kept(remote: Remote, feed: Feed) -> None:
    asked: list[bool] = []

    class Asking(dict[str, CompiledFlag]):
        """Asks a question as soon as the set has been compiled and before the client has it."""

        def items(self) -> ItemsView[str, CompiledFlag]:
            asked.append(client.is_enabled("on", ADA))
            return super().items()

    def compiler(snapshot: Snapshot, before: FlagSet) -> FlagSet:
        inner = remote(snapshot, before)
        return replace(inner, compiled=Asking(inner.compiled)) if snapshot.version > 1 else inner

    with Client(feed, compiler=compiler, cache=ContextCache()) as client:
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        assert asked == [True]
        assert client.is_enabled("on", ADA) is False


def test_a_flag_that_is_as_it_was_is_asked_anew_after_a_change_of_another(remote: Remote, feed: Feed) -> None:
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        client.is_enabled("ada", ADA)
        feed.to.replace(a_snapshot(2, on=flag(ON_OFF, "off")))
        client.is_enabled("ada", ADA)
        assert remote.asked == ["ada", "ada"]


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("one", "other"), [({"n": [1]}, {"n": (1,)}), ({"n": {"1": 1}}, {"n": {1: 1}}), ({"n": "x"}, {"n": Word("x")})]
)
def test_what_is_merely_written_alike_does_not_share_an_answer(
    one: dict[str, object], other: dict[str, object], remote: Remote, feed: Feed
) -> None:
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        for attributes in (one, other, other, one):
            client.is_enabled("ada", Context("ada", attributes))
        assert len(remote.asked) == 3


def test_it_does_not_grow_past_its_bound(remote: Remote, feed: Feed) -> None:
    cache = ContextCache(most_entries=10)
    with Client(feed, compiler=remote, cache=cache) as client:
        for number in range(100):
            client.is_enabled("ada", f"user-{number}")
        assert cache.statistics.entries == 10
        client.is_enabled("ada", "user-99")
        client.is_enabled("ada", "user-0")
        assert cache.statistics.hits == 1


def test_errors_are_not_kept(remote: Remote, feed: Feed) -> None:
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        client.is_enabled("broken")
        client.is_enabled("broken")
        assert remote.asked == ["broken", "broken"]


def test_contexts_that_cannot_be_written_down_are_asked_for_each_time(remote: Remote, feed: Feed) -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    with Client(feed, compiler=remote, cache=ContextCache()) as client:
        for attributes in (circle, {"x": object()}, {1: 1, "1": 2}):
            for _ in range(2):
                assert client.is_enabled("on", Context("ada", attributes)) is True  # type: ignore[arg-type]
        client.is_enabled("on", Context(7))  # type: ignore[arg-type]
        assert client.cache_statistics is not None
        assert client.cache_statistics.entries == 0
