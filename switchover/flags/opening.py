"""Opens a client or a store at a place: `memory:`, `file:flags.json`, `redis://host/0?set=shop`, `launchdarkly:`.

`memory:` is one set of this process, the same for every client and store. A file may also be named by its path alone.
The forms of Redis' places are those of `switchover.flags.redis_place`. `launchdarkly:?cache` keeps answers for 300 s,
`launchdarkly:?cache=60` for 60 s.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from switchover.errors import InputError
from switchover.flags.client import Client
from switchover.flags.ports import FlagStore, Recorder

if TYPE_CHECKING:
    from switchover.flags.memory_store import MemoryStore

_REDIS: Final = frozenset({"redis", "rediss", "unix"})
_FORMS: Final = (
    "memory:, file:PATH, redis://HOST, redis+sentinel://…, redis+cluster://…, unix:///SOCKET or launchdarkly:"
)
_EXAMPLE: Final = "name one like file:flags.json or redis://host:6379/0?set=shop"


def open_client(
    place: str,
    *,
    recorder: Recorder | Literal["usual"] | None = "usual",
    last_known_good: Path | Literal["usual"] | None = "usual",
    wait_seconds: float = 0.0,
    name: str | None = None,
) -> Client:
    """A client on the flags of a place. Waits for the first set, `wait_seconds` at most, and never raises for silence.

    The usual `recorder` keeps counts and events where the flags are: in Redis, at LaunchDarkly, and nowhere for a file
    or memory. `last_known_good` is the file from which a start without Redis is answered; no other place has one.
    Raises `InputError` for a place that cannot be read.
    """
    kind = _kind_of(place)
    if kind != "redis" and isinstance(last_known_good, Path):
        raise _refusal("a last known good file for Redis alone", f"one for {kind}:", "leave it out")
    given = None if recorder == "usual" else recorder
    if kind == "redis":
        feed = _late("redis_feed").RedisFeed(place, last_known_good=last_known_good)
        client = Client(feed, recorder=_usual_recorder(place) if recorder == "usual" else given, name=name)
    elif kind == "launchdarkly":
        client = _open_launchdarkly(place, usual=recorder == "usual", recorder=given, name=name)
    elif kind == "memory":
        client = Client(_memory().feed(), recorder=given, name=name)
    else:
        client = Client(_late("file_feed").FileFeed(_path_in(place)), recorder=given, name=name)
    if wait_seconds > 0:
        client.wait_ready(wait_seconds)
    return client


def open_store(place: str) -> FlagStore:
    """The store of a place, for reading and changing. Raises `InputError` for a place that cannot be read."""
    kind = _kind_of(place)
    if kind == "launchdarkly":
        raise _refusal("a place that switchover may change", "launchdarkly:", "change the flags in LaunchDarkly")
    if kind == "memory":
        return _memory()
    store: FlagStore
    if kind == "redis":
        store = _late("redis_store").RedisStore(place)
    else:
        store = _late("file_store").FileStore(_path_in(place))
    return store


def describe_place(place: str) -> str:
    """The place as a person says it: without user and password. Raises `InputError` for one that cannot be read."""
    kind = _kind_of(place)
    if kind == "redis":
        return str(_late("redis_place").read_redis_place(place))
    return f"file:{_path_in(place)}" if kind == "file" else place


def _late(name: str) -> Any:
    """A module that only one kind of place needs: importing flags is to take well under 100 ms."""
    return importlib.import_module(f"switchover.flags.{name}")


@functools.cache
def _memory() -> MemoryStore:
    store: MemoryStore = _late("memory_store").MemoryStore()
    return store


def _usual_recorder(place: str) -> Recorder:
    recorder: Recorder = _late("exposures").ExposureRecorder(_late("late_records").LateRecords(place))
    return recorder


def _open_launchdarkly(place: str, *, usual: bool, recorder: Recorder | None, name: str | None) -> Client:
    seconds = _read_cache(place)
    if importlib.util.find_spec("ldclient") is None:
        raise _refusal("LaunchDarkly's SDK", "it is not installed", "pip install 'switchover[launchdarkly]'")
    module = _late("launchdarkly")
    cache = None if seconds is None else _late("context_cache").ContextCache(**seconds)
    chosen = "usual" if usual else recorder
    client: Client = module.launchdarkly_client(os.environ, recorder=chosen, cache=cache, name=name)
    return client


def _read_cache(place: str) -> dict[str, float] | None:
    """The options of the cache; None: there is none."""
    found = re.fullmatch(r"launchdarkly:(\?cache(?:=([0-9]{1,6}(?:\.[0-9]{1,3})?))?)?", place)
    if found is None:
        raise _refusal("launchdarkly: or launchdarkly:?cache=SECONDS", "something else after it", "leave it out")
    if found[1] is None:
        return None
    return {"ttl_seconds": float(found[2])} if found[2] else {}


def _kind_of(place: str) -> str:
    """Of what kind it is: memory, file, redis, launchdarkly. What cannot be read is not quoted: it may be secret."""
    if not isinstance(place, str) or not place or "\0" in place:
        raise _refusal(_FORMS, "an empty place" if place == "" else "something else", _EXAMPLE)
    scheme, colon, rest = place.partition(":")
    if not colon and (place.endswith(".json") or "/" in place):
        return "file"
    if colon and scheme.partition("+")[0] in _REDIS:
        return "redis"
    if colon and scheme in {"memory", "file", "launchdarkly"}:
        if scheme == "memory" and rest:
            raise _refusal("memory: alone", "something after it", "leave it out")
        return scheme
    if place.startswith(("/", "./", "../")):
        return "file"
    raise _refusal(_FORMS, "a place of no such form", _EXAMPLE)


def _path_in(place: str) -> Path:
    """The file's absolute path: an application may change its folder later."""
    path = place.removeprefix("file:")
    if path.startswith("//"):
        host, slash, below = path[2:].partition("/")
        if host or not slash:
            raise _refusal("file:PATH or file:///PATH", "a host", "leave the host out")
        path = f"/{below}"
    if not path or path.endswith("/"):
        raise _refusal("file:PATH", "a folder" if path else "no path", "name the JSON file")
    return Path(path).absolute()


def _refusal(expected: str, found: str, next_step: str) -> InputError:
    return InputError("the place of the flags cannot be used", expected=expected, found=found, next_step=next_step)
