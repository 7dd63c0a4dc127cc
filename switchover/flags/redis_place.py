"""Where a set is in Redis: one server, a socket, a Sentinel's primary, or the node of a Cluster that has the slot.

- `redis://[user:password@]host[:6379]/[database]?set=NAME`, `rediss://…` for TLS
- `unix:///path/of/socket?set=NAME&db=0`
- `redis+sentinel://[user:password@]host[:26379],…/PRIMARY?set=NAME&db=0`, `rediss+sentinel://…`
- `redis+cluster://[user:password@]host[:6379],…?set=NAME`, `rediss+cluster://…`

`set` is `default` unless named. `ca`, `cert` and `key` are the paths of PEM files for TLS; `history` says how many
changes the audit trail keeps (about; 10,000 unless said). User and password may stand in `SWITCHOVER_FLAGS_USERNAME`
and `SWITCHOVER_FLAGS_PASSWORD` instead, those of the Sentinels themselves in `SWITCHOVER_FLAGS_SENTINEL_USERNAME` and
`SWITCHOVER_FLAGS_SENTINEL_PASSWORD`. No secret is ever part of an error, since none is quoted from before the `@`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from switchover.errors import InputError

USUAL_HISTORY = 10_000
_MOST_HISTORY = 10_000_000
_SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PLAIN = re.compile(r"[a-z_]{1,20}")
_NEXT = (
    "name one like redis://host:6379/0?set=shop, redis+sentinel://host:26379/PRIMARY?set=shop or "
    "redis+cluster://host:6379?set=shop; characters like @ / ? # in a password are written as %40 %2F %3F %23"
)


class Kind(StrEnum):
    """How the server is found."""

    SERVER = "server"
    SOCKET = "socket"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES = {
    "redis": (Kind.SERVER, False),
    "rediss": (Kind.SERVER, True),
    "unix": (Kind.SOCKET, False),
    "redis+sentinel": (Kind.SENTINEL, False),
    "rediss+sentinel": (Kind.SENTINEL, True),
    "redis+cluster": (Kind.CLUSTER, False),
    "rediss+cluster": (Kind.CLUSTER, True),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password; None: without."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files. Without `ca` the system's authorities are trusted."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """A set in Redis. `hosts` are several for Sentinels and a Cluster, none for a socket."""

    kind: Kind
    set_name: str
    hosts: tuple[tuple[str, int], ...] = ()
    socket: str | None = None
    primary: str = ""
    database: int = 0
    history: int = USUAL_HISTORY
    tls: Tls | None = None
    credentials: Credentials = Credentials()
    sentinel_credentials: Credentials = Credentials()

    def __str__(self) -> str:
        """As a person says it: without user and password."""
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        scheme = next(name for name, made in _SCHEMES.items() if made == (self.kind, self.tls is not None))
        path = {Kind.SOCKET: self.socket, Kind.SENTINEL: f"/{self.primary}"}.get(self.kind, "")
        database = f"&db={self.database}" if self.database else ""
        return f"{scheme}://{hosts}{path}?set={self.set_name}{database}"


def read_redis_place(place: str, environment: Mapping[str, str] = os.environ) -> RedisPlace:
    """Parse and check. Raises `InputError`, which quotes neither user nor password."""
    try:
        parts = urlsplit(place)
    except ValueError:
        raise _wrong("an address", "one that is no URL") from None
    if parts.scheme not in _SCHEMES:
        raise _wrong(f"one of {', '.join(f'{scheme}:' for scheme in _SCHEMES)}", "another scheme")
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise _wrong("an @ between the password and the host, and no #", "one elsewhere")
    kind, encrypted = _SCHEMES[parts.scheme]
    asked = _read_query(parts.query)
    user, hosts = _read_authority(parts, kind)
    return RedisPlace(
        kind,
        _read_set(asked.pop("set", "default")),
        hosts,
        unquote(parts.path) if kind is Kind.SOCKET else None,
        _read_primary(parts) if kind is Kind.SENTINEL else "",
        _read_database(parts, kind, asked.pop("db", "")),
        _read_number("history", asked.pop("history", str(USUAL_HISTORY)), 1, _MOST_HISTORY),
        _read_tls(asked, encrypted=encrypted),
        Credentials(
            user.username or environment.get("SWITCHOVER_FLAGS_USERNAME") or None,
            user.password or environment.get("SWITCHOVER_FLAGS_PASSWORD") or None,
        ),
        Credentials(
            environment.get("SWITCHOVER_FLAGS_SENTINEL_USERNAME") or None,
            environment.get("SWITCHOVER_FLAGS_SENTINEL_PASSWORD") or None,
        ),
    )


def _read_query(query: str) -> dict[str, str]:
    known = {"set", "db", "history", "ca", "cert", "key"}
    asked: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise _wrong(f"options among {', '.join(sorted(known))}", name if _PLAIN.fullmatch(name) else "another one")
        if name in asked:
            raise _wrong(f"`{name}` once", "twice")
        asked[name] = value
    return asked


def _read_authority(parts: SplitResult, kind: Kind) -> tuple[Credentials, tuple[tuple[str, int], ...]]:
    user, _, addresses = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    credentials = Credentials(unquote(name) or None, unquote(password) or None)
    if kind is Kind.SOCKET:
        if addresses or not parts.path.startswith("/"):
            raise _wrong("the absolute path of a socket: unix:///path", "a host, or no path")
        return credentials, ()
    usual = 26379 if kind is Kind.SENTINEL else 6379
    hosts = tuple(_read_host(address, usual) for address in addresses.split(","))
    if kind is Kind.SERVER and len(hosts) > 1:
        raise _wrong("one host", f"{len(hosts)}")
    return credentials, hosts


def _read_host(address: str, usual: int) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", address)
    if found is None:
        raise _wrong("host or host:port", "something else")
    port = int(found[2] or usual)
    if not 0 < port < 65536:  # noqa: PLR2004 - what a port can be
        raise _wrong("a port from 1 to 65535", str(port))
    return found[1].strip("[]"), port


def _read_set(name: str) -> str:
    if not _SET.fullmatch(name):
        raise _wrong("a `set` of up to 100 letters, digits and . _ -", "another name")
    return name


def _read_primary(parts: SplitResult) -> str:
    name = unquote(parts.path.strip("/"))
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name):
        raise _wrong("the name by which the Sentinels know the primary: redis+sentinel://host:port/NAME", "none")
    return name


def _read_database(parts: SplitResult, kind: Kind, asked: str) -> int:
    path = parts.path.strip("/") if kind in {Kind.SERVER, Kind.CLUSTER} else ""
    if path and asked:
        raise _wrong("the database once", "in the path and as `db`")
    database = _read_number("db", path or asked or "0", 0, 100_000)
    if database and kind is Kind.CLUSTER:
        raise _wrong("no database (a Cluster has only 0)", str(database))
    return database


def _read_number(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
    if not least <= number <= most:
        raise _wrong(f"`{name}` from {least} to {most}", "another value")
    return number


def _read_tls(asked: Mapping[str, str], *, encrypted: bool) -> Tls | None:
    if not encrypted:
        if asked:
            raise _wrong("rediss:// with `ca`, `cert` and `key`", f"`{next(iter(asked))}` without TLS")
        return None
    if ("cert" in asked) != ("key" in asked):
        raise _wrong("`cert` and `key` together", "one of them")
    return Tls(asked.get("ca"), asked.get("cert"), asked.get("key"))


def _wrong(expected: str, found: str) -> InputError:
    return InputError("the place of the flags cannot be used", expected=expected, found=found, next_step=_NEXT)
