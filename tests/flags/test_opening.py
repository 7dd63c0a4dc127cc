"""Places: what opens, and what is refused without showing a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.errors import InputError
from switchover.flags.file_store import FileStore
from switchover.flags.opening import open_client, open_store
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Note
from switchover.flags.status import State
from tests.flags.client_cases import ON_OFF, Recorded, flag
from tests.real_parts.redis_server import redis_server, wait_for

NOTE = Note("ada", "a test", "set")


@pytest.mark.parametrize("form", ["file:{}", "file://{}", "{}"])
def test_a_file_is_named_with_or_without_its_scheme(form: str, tmp_path: Path) -> None:
    path = tmp_path / "flags:1.json"
    path.write_text(json.dumps({"flags": {"a": flag(ON_OFF, "on")}}))
    with open_client(form.format(path), wait_seconds=1) as client:
        assert client.is_enabled("a") is True
    assert isinstance(open_store(form.format(path)), FileStore)


def test_memory_is_one_set_of_the_process() -> None:
    store = open_store("memory:")
    with open_client("memory:", recorder=Recorded()) as client:
        store.write(store.read(), {"flags/in-memory": flag(ON_OFF, "on")}, NOTE)
        assert client.is_enabled("in-memory") is True
    store.write(store.read(), {"flags/in-memory": None}, NOTE)


def test_redis_is_followed_and_counts_go_there(tmp_path: Path) -> None:
    with redis_server() as server:
        store = open_store(server.place())
        assert isinstance(store, RedisStore)
        store.write(store.read(), {"flags/a": flag(ON_OFF, "on")}, NOTE)
        with open_client(
            server.place(), last_known_good=tmp_path / "kept.jsonl", wait_seconds=30, name="shop"
        ) as client:
            assert client.is_enabled("a") is True
            assert "shop" in repr(client)
        with server.admin() as admin:
            wait_for(lambda: any(b"count" in key for key in admin.scan_iter()))
        server.kill()
        with open_client(server.place(), recorder=None, last_known_good=tmp_path / "kept.jsonl") as client:
            assert client.is_enabled("a") is True
            wait_for(lambda: client.status.state is State.STALE)


@pytest.mark.parametrize(
    "place",
    [
        "", "flags", "memory", "memory:x", "file:", "file:/", "file://host/flags.json", "folder/", "ftp://u:secret@h/x",
        "u:secret@h", "redis:secret@h:x", "redis://:secret@h/0?sett=x", "redis//:secret@h", "launchdarkly:secret",
        "launchdarkly:?cache=secret", "redis+cluster://:secret@h/1", "secret\0", "postgres://:secret@h/flags.json",
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_read_is_refused_without_being_shown(place: str) -> None:
    for opened in (open_client, open_store):
        with pytest.raises(InputError) as refused:
            opened(place)
        problem = refused.value.problem
        assert "secret" not in str(refused.value)
        assert "switchover.flags" not in str(refused.value)
        assert all((problem.failed, problem.expected, problem.found, problem.next_step))


@pytest.mark.parametrize("place", ["", "flags", "redis+sentinel://cache", "redis://"])
def test_who_names_no_place_is_shown_one(place: str) -> None:
    with pytest.raises(InputError, match=r"name one like .*redis://host:6379/0\?set=shop"):
        open_store(place)


def test_only_redis_has_a_last_known_good_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_client("memory:", last_known_good=tmp_path / "kept.jsonl")


def test_launchdarkly_is_not_changed_from_here() -> None:
    with pytest.raises(InputError, match="may change"):
        open_store("launchdarkly:")


def test_launchdarkly_asks_for_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWITCHOVER_LAUNCHDARKLY_SDK_KEY", raising=False)
    with pytest.raises(InputError, match="SWITCHOVER_LAUNCHDARKLY_SDK_KEY"):
        open_client("launchdarkly:?cache=60")
