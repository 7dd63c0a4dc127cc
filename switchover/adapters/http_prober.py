"""The port `Prober` over plain HTTP."""

from __future__ import annotations

import http.client
import time

from switchover.model import ProbeResult, SmokeTest

_OK = 200
_MOST_BYTES = 1_000_000
_CHUNK_BYTES = 65536


class HttpProber:
    """Asks one replica, with a connection of its own."""

    def probe(self, address: str, test: SmokeTest) -> ProbeResult:
        """Run one check; the whole answer (or its first megabyte) must be there within `test.within_ms`."""
        began = time.monotonic()
        try:
            status, body = _ask(address, test, began + test.within_ms / 1000)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return ProbeResult(
                test.name, passed=False, status=None, seconds=time.monotonic() - began, detail=_why(error)
            )
        seconds = time.monotonic() - began
        trouble = judge_answer(test, status, body, seconds)
        return ProbeResult(
            test.name, passed=not trouble, status=status, seconds=seconds, detail=trouble or "as expected"
        )


def answers_ok(address: str, path: str, within_seconds: float) -> bool:
    """Whether `GET path` is answered with 200 in time."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ask(address: str, test: SmokeTest, ends: float) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=test.within_ms / 1000)
    try:
        connection.request(test.method, test.path, body=test.body.encode() or None, headers={"connection": "close"})
        socket = connection.sock
        answer = connection.getresponse()
        body = bytearray()
        while len(body) < _MOST_BYTES:
            remaining = ends - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            socket.settimeout(remaining)
            chunk = answer.read1(_CHUNK_BYTES)
            if not chunk:
                break
            body += chunk
        return answer.status, body.decode(errors="replace")
    finally:
        connection.close()


def judge_answer(test: SmokeTest, status: int, body: str, seconds: float) -> str:
    """What is wrong with an answer; empty: it is as expected."""
    if status != test.expect_status:
        return f"status {status} instead of {test.expect_status}"
    if test.body_contains and test.body_contains not in body:
        return f"the body does not contain {test.body_contains!r}"
    if seconds * 1000 > test.within_ms:
        return f"took {seconds * 1000:.0f} ms instead of at most {test.within_ms} ms"
    return ""


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no whole answer in time"
    return f"no answer: {error.strerror}" if isinstance(error, OSError) and error.strerror else f"no answer: {error!r}"
