"""Tagged requests through the data plane of a gateway: which colour answers them."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from switchover.decide.http_routes import COLOUR_HEADER
from switchover.errors import TargetError
from switchover.model import Colour

PROBE_HEADER = "x-switchover-probe"
CONNECTIONS = 8
_SECONDS = 3.0
_HEADERS = {PROBE_HEADER: "1", "user-agent": "switchover-probe", "cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Where users' requests come in: `address` is host:port, `host` the name that they ask for."""

    address: str
    host: str
    path: str
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """How often each colour has answered; `nameless` counts the answers that name none, by status."""

    colours: Counter[Colour] = field(default_factory=Counter)
    nameless: Counter[int] = field(default_factory=Counter)

    def __add__(self, more: Answers) -> Answers:
        return Answers(self.colours + more.colours, self.nameless + more.nameless)

    def count(self) -> dict[Colour | None, int]:
        """All of them, those that name no colour under None."""
        counts: dict[Colour | None, int] = {None: sum(self.nameless.values())}
        return counts | dict(self.colours.items())


def ask_colours(plane: DataPlane, probes: int) -> Answers:
    """Send so many probes over several connections at once, because each worker of a gateway learns by itself.

    Raises `TargetError` when one gets no answer, which a user would not have got either.
    """
    shares = [probes // CONNECTIONS + (number < probes % CONNECTIONS) for number in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="probe") as pool:
        return sum(pool.map(lambda share: _ask(plane, share), shares), Answers())


def _ask(plane: DataPlane, probes: int) -> Answers:
    answers = Answers()
    connection = _Connection(plane)
    try:
        for _ in range(probes):
            status, said = _ask_once(connection, plane)
            if said in tuple(Colour):
                answers.colours[Colour(said)] += 1
            else:
                answers.nameless[status] += 1
    except (OSError, http.client.HTTPException) as error:
        raise TargetError(
            f"a probe through {plane.address} got no answer",
            expected=f"an answer to GET {plane.path} for {plane.host} within {_SECONDS:.0f} s",
            found=f"{type(error).__name__}: {error}",
            next_step="check that the gateway is reachable from here; if it cannot be, set `data_plane` or `confirm`",
        ) from error
    finally:
        connection.close()
    return answers


def _ask_once(connection: _Connection, plane: DataPlane) -> tuple[int, str]:
    """One answer; a connection that the gateway has closed between two requests is opened again, once."""
    try:
        return _exchange(connection, plane)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        connection.close()
        return _exchange(connection, plane)


def _exchange(connection: _Connection, plane: DataPlane) -> tuple[int, str]:
    connection.request("GET", plane.path, headers={**_HEADERS, "host": plane.host})
    answer = connection.getresponse()
    answer.read()
    return answer.status, (answer.getheader(COLOUR_HEADER) or "").strip().lower()


class _Connection(http.client.HTTPConnection):
    """To the address of the gateway, asking for a name that need not resolve here."""

    def __init__(self, plane: DataPlane) -> None:
        host, _, port = plane.address.rpartition(":")
        super().__init__(host.strip("[]"), int(port), timeout=_SECONDS)
        self._plane = plane

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._plane.tls:
            self.sock = _unverified().wrap_socket(self.sock, server_hostname=self._plane.host.partition(":")[0])


def _unverified() -> ssl.SSLContext:
    """A probe carries nothing secret and its answer is only counted, so a staging certificate may be anybody's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
