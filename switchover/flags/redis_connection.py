"""A connection to the server that keeps a set: short timeouts, no retries of its own.

The least rights, as an ACL for the set `NAME` (from Redis 7 on; 6.2 has no `%R`, write `~` there):

- an application reads the set and its changes, says that it is alive, and keeps counts and the records of experiments:
  `%R~{switchover:flags:NAME}:set %R~{switchover:flags:NAME}:changes ~{switchover:flags:NAME}:live
  ~{switchover:flags:NAME}:seen ~{switchover:flags:NAME}:records:* resetchannels -@all +hgetall +hmget +xread +eval
  +evalsha +time +hset +hdel +zadd +zrem +zrangebyscore +pexpire +get +set +expire +hget +hlen +hincrby +sismember
  +scard +sadd`
- an operator writes them, reads the results and watches rollouts: `~{switchover:flags:NAME}:* resetchannels -@all
  +hgetall +hmget +hget +hset +hdel +hvals +exists +rename +xadd +xrange +xrevrange +zrange +time +multi +exec +eval
  +evalsha +hscan +smembers +del +expire`
- an application without a recorder needs neither the key with `records` nor the commands from `+get` on;
- both on a Cluster: `+cluster|slots` as well; with a database other than 0: `+select`.

A process without the right to say that it is alive follows the flags all the same, but nobody who waits for a proof
waits for it. A server that is full refuses every change, kills too, and the records share its memory: give the flags a
server of their own with room to spare and `maxmemory-policy noeviction`; any other policy may evict the set itself.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry
from redis.sentinel import Sentinel

from switchover.flags.redis_form import keys_of
from switchover.flags.redis_place import Credentials, Kind, RedisPlace, read_redis_place
from switchover.flags.redis_trouble import TROUBLE, NoPrimaryError

# The library would tell the server its own version: two more questions for each connection, which an application has
# no right to ask (the server notes each in its ACL log), and milliseconds to find that version out. Not every version
# of it can be told not to.
_NO_INTRODUCTION: dict[str, Any] = (
    {"driver_info": None} if "driver_info" in inspect.signature(redis.Redis.__init__).parameters else {}
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a connection, and for each piece of an answer."""

    connect_seconds: float = 2.0
    read_seconds: float = 10.0


def open_sentinel(place: RedisPlace, number: int, patience: Patience) -> redis.Redis:
    """A client of one of the place's Sentinels."""
    host, port = place.hosts[number]
    return redis.Redis(host=host, port=port, **_sentinel_options(place, patience))


def open_connection(place: str | RedisPlace, patience: Patience | None = None) -> redis.Redis:
    """A client of the one server that keeps the set now; nothing has to be sent to it yet, unless it must be found.

    Raises `InputError` for the place, `TROUBLE` when the server cannot be found. After any trouble close it and
    open another: the set may have moved.
    """
    wanted = read_redis_place(place) if isinstance(place, str) else place
    waits = patience or Patience()
    if wanted.kind is Kind.SOCKET:
        return redis.Redis(unix_socket_path=wanted.socket, **_options(wanted, waits))
    host, port = _find_server(wanted, waits)
    return redis.Redis(host=host, port=port, **_options(wanted, waits))


def send(connection: redis.Redis, *words: str | int) -> Any:
    """Send one command as it stands and return its answer."""
    return connection.execute_command(*words)  # type: ignore[no-untyped-call] # the library has no type for it


def _options(place: RedisPlace, patience: Patience, *, credentials: Credentials | None = None) -> dict[str, Any]:
    user = credentials or place.credentials
    options: dict[str, Any] = {
        "db": place.database,
        "username": user.username,
        "password": user.password,
        "socket_connect_timeout": patience.connect_seconds,
        "socket_timeout": patience.read_seconds,
        "retry": Retry(NoBackoff(), 0),
        # RESP2 and plain answers: 6.2 speaks it, and no version of the client library changes their form.
        "protocol": 2,
        **_NO_INTRODUCTION,
    }
    if place.kind is not Kind.SOCKET:
        options["socket_keepalive"] = True
    if place.tls is not None:
        options |= {
            "ssl": True,
            # The defaults differ between versions of the library.
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_ca_certs": place.tls.ca,
            "ssl_certfile": place.tls.certificate,
            "ssl_keyfile": place.tls.key,
        }
    return options


def _find_server(place: RedisPlace, patience: Patience) -> tuple[str, int]:
    if place.kind is Kind.SENTINEL:
        return _ask_sentinels(place, patience)
    if place.kind is Kind.CLUSTER:
        return _ask_cluster(place, patience)
    return place.hosts[0]


def _ask_sentinels(place: RedisPlace, patience: Patience) -> tuple[str, int]:
    asked = _sentinel_options(place, patience)
    sentinels: Any = Sentinel(place.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call] # it has none
    try:
        host, port = sentinels.discover_master(place.primary)
    finally:
        for sentinel in sentinels.sentinels:
            sentinel.close()
    return str(host), int(port)


def _sentinel_options(place: RedisPlace, patience: Patience) -> dict[str, Any]:
    return _options(replace(place, database=0), patience, credentials=place.sentinel_credentials)


def _ask_cluster(place: RedisPlace, patience: Patience) -> tuple[str, int]:
    """The library's own Cluster client would ask for all commands and connect to all nodes; one question is enough."""
    slot = key_slot(keys_of(place.set_name).set.encode())
    last: BaseException = NoPrimaryError(f"no node of the Cluster serves slot {slot}")
    for host, port in place.hosts:
        try:
            with redis.Redis(host=host, port=port, **_options(place, patience)) as node:
                found = _owner(send(node, "CLUSTER SLOTS"), slot)
        except TROUBLE as error:
            last = error
            continue
        if found is not None:
            # A node that does not know its own address leaves it empty.
            return found[0] or host, found[1]
    raise last


def _owner(answer: Any, slot: int) -> tuple[str, int] | None:
    for first, final, owner, *_ in answer:
        if int(first) <= slot <= int(final):
            return (owner[0] or b"").decode().strip("?"), int(owner[1])
    return None
